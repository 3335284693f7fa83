"""Four ways to make five calls in an endpoint: the apps of `unblocked race` and of the studies.

Each module defines `app`, whose `GET /` calls the address in the environment variable `UPSTREAM`
five times at once. `python -m unblocked.show.variants NAME` serves one in a process of its own.
"""

NAMES = {
    "threads_requests": "a thread pool per request, requests",
    "httpx_default": "httpx.AsyncClient, default limits",
    "httpx_on_aiohttp": "HttpxAiohttpClient",
    "aiohttp_itself": "aiohttp",
}
"""Module → what people call it."""
