"""Ways to make five calls in an endpoint: the apps of `unblocked race`.

Each module defines `app`, whose `GET /` calls the address in the environment variable `UPSTREAM`
five times at once. `race.serving` runs one in a process of its own. Another variant is one more
module here, and its line in `NAMES`.
"""

CONNECTIONS = 1000
"""How many connections every client may open; the one exception says so in its name.

A pool of threads with a new `requests` call in each thread has no such limit.
"""
KEPT = 20
"""How many idle connections HTTPX keeps: its own default, which `Limits(max_connections=...)` alone
drops. Its pool's work grows with them (`bench/results/pool.md`). aiohttp has no such limit.
"""
NAMES = {
    "threads_requests": "a thread pool per request, requests",
    "httpx_default": "stock HTTPX as it comes (limit of 100)",
    "httpx_itself": "httpx.AsyncClient, 20 kept alive",
    "httpx_on_aiohttp": "HttpxAiohttpClient",
    "aiohttp_itself": "aiohttp",
}
"""Module to what people call it: those of the race, in its order."""
