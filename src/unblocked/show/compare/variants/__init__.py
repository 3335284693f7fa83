"""Ways to make five calls in an endpoint: the apps of `unblocked race` and of the studies.

Each module defines `app`, whose `GET /` calls the address in the environment variable `UPSTREAM`
five times at once. `python -m unblocked.show.compare.variants NAME` serves one in a process of its
own. Another variant is one more module here, and its line in `NAMES`.
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

STUDIED = {
    "threads_in_def": "a thread pool per request in a `def` endpoint, requests",
    "threads_shared": "one pool of 100 threads, requests",
    "threads_default": "the loop's own thread pool, requests",
    "threads_httpx": "a thread pool per request, one httpx.Client",
    "httpx_article": "httpx.AsyncClient, 10 connections, 5 kept",
    "httpx_20_kept": "httpx.AsyncClient, 1000 connections, 20 kept",
    "httpx_wide": "httpx.AsyncClient, 1000 connections, 1000 kept",
    "httpx_semaphore": "httpx.AsyncClient behind a semaphore of 100",
    "httpx_sharded": "50 httpx.AsyncClients of 20 connections in turn",
    "httpx2_20_kept": "httpx2.AsyncClient, 1000 connections, 20 kept",
    "httpx2_wide": "httpx2.AsyncClient, 1000 connections, 1000 kept",
    "on_pyreqwest": "httpx.AsyncClient on pyreqwest",
    "on_pycurl": "httpx.AsyncClient on httpx-pycurl",
    "on_curl_cffi": "httpx.AsyncClient on httpx-curl-cffi",
    "on_aiohttp_gc": "HttpxAiohttpClient, less garbage collection",
    "on_aiohttp_prebuilt": "HttpxAiohttpClient, less collection, request built once",
    "on_lean": "httpx.AsyncClient on a transport of our own",
    "on_lean_gc": "a transport of our own, less garbage collection",
    "on_lean_prebuilt": "a transport of our own, less collection, request built once",
    "aiohttp_gc": "aiohttp, less garbage collection",
    "no_call": "no call: FastAPI that sleeps",
    "relay_buffered": "the whole body read, then sent",
    "relay_streamed": "streamed, HttpxAiohttpClient",
    "relay_streamed_stock": "streamed, httpx.AsyncClient",
}
"""Name in `studied.APPS` → what people call it."""

NEEDED = {
    "on_pyreqwest": "pyreqwest",
    "on_pycurl": "httpx_pycurl",
    "on_curl_cffi": "httpx_curl_cffi",
}
"""Name of a variant → the module that it needs, which only the extra `bench` installs."""
