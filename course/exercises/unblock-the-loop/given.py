import http.client as _http
import os as _os
from urllib.parse import quote as _quote
from urllib.parse import urlsplit as _urlsplit

# Alike on every machine: eight threads in the default executor, more than four and not too few.
_os.cpu_count = _os.process_cpu_count = lambda: 4


def _blocking_call(gate):
    """What both functions are made of here: a call that the check holds as long as it likes."""
    place = _urlsplit(gate)

    def ask(path):
        connection = _http.HTTPConnection(place.netloc)
        try:
            connection.request("GET", f"{place.path}/{path}")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    return ask


def _made_legacy_lookup(ask):
    def legacy_lookup(key: str) -> str:
        """Look a key up. Blocks."""
        if type(key) is not str:
            raise TypeError(f"key is a str, not {type(key).__name__}")
        return ask(f"legacy/{_quote(key, safe='')}")

    legacy_lookup.__qualname__ = "legacy_lookup"  # so that a process pool can be told of it
    return legacy_lookup


def _made_crunch(ask):
    def crunch(n: int) -> int:
        """Calculate. Blocks."""
        if type(n) is not int:
            raise TypeError(f"n is an int, not {type(n).__name__}")
        return int(ask(f"crunch/{n}"))

    crunch.__qualname__ = "crunch"
    return crunch


_ask = _blocking_call(globals().pop("_GATE", "http://127.0.0.1:9"))
legacy_lookup = _made_legacy_lookup(_ask)
crunch = _made_crunch(_ask)
del _ask
