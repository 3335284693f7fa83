import http.client as _http
import os as _os
from urllib.parse import urlsplit as _urlsplit

import requests as _requests

# With 22 cores the default executor has 26 threads, and half the cores are 11: nothing that is
# computed from the machine's cores is eight by chance.
_os.cpu_count = _os.process_cpu_count = lambda: 22


def _made_fetch(mark):
    def fetch(url: str) -> str:
        """Call `url` and return its text. Blocks; raises when the call fails."""
        parts = _urlsplit(url)
        connection = _http.HTTPConnection(parts.netloc, timeout=None)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path or "/", headers={"user-agent": f"fetch/{mark}"})
            response = connection.getresponse()
            status, text = response.status, response.read().decode()
        except (OSError, _http.HTTPException) as error:
            raise _failure(f"{url} cannot be reached", _requests.ConnectionError) from error
        finally:
            connection.close()
        if status >= 400:
            raise _failure(f"{url} answered {status}", _requests.HTTPError)
        return text

    fetch.__qualname__ = "fetch"
    return fetch


def _failure(text, kind):
    import httpx

    # Whichever client an answer expects `fetch` to be made with, its error class is right.
    class FetchError(kind, httpx.HTTPError):
        def __init__(self, text):
            kind.__init__(self, text)
            self._request = None

    return FetchError(text)


fetch = _made_fetch(globals().pop("_MARK", ""))
