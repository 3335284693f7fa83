def user_path(name):
    if name in (".", ".."):
        return None
    return "/users/" + quote(name, safe="")
