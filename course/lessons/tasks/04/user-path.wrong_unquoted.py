def user_path(name):
    return None if name in (".", "..") else f"/users/{name}"
