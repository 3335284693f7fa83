"""What the notebook gives for trying tests out; when they are marked, apps come from elsewhere."""


class Upstream:
    """Each test is handed its own upstream."""

    def __init__(self):
        raise RuntimeError("Upstream() is for the notebook: a test is given its `upstream`")


def serving(app, upstream=None):
    """Each test is handed the address of an app."""
    raise RuntimeError("serving() is for the notebook: a test is given the `url` of an app")
