def user_path(name):
    return "/users/" + quote(name, safe="")
