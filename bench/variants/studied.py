"""The apps of the studies: `APPS[NAME]()` makes one.

The `GET /` of each calls the address in the environment variable `UPSTREAM` five times at once, all
with the same limits (1,000 connections) unless the name says otherwise, and the same timeout.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import httpx
import httpx2
import requests
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from httpx_aiohttp import HttpxAiohttpClient
from httpx_aiohttp.httpx2 import Httpx2AiohttpClient
from starlette.background import BackgroundTask

from bench.variants import AUTHORITIES
from bench.variants.lean import LeanTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

UPSTREAM = os.environ.get("UPSTREAM", "")
CALLS = 5
MANY = 1000
WIDE = httpx.Limits(max_connections=MANY, max_keepalive_connections=MANY)
WIDE2 = httpx2.Limits(max_connections=MANY, max_keepalive_connections=MANY)


def _verify() -> ssl.SSLContext | bool:
    """What `verify=` is given: a context that trusts the study's authority, where there is one."""
    known = os.environ.get(AUTHORITIES)
    return ssl.create_default_context(cafile=known) if known else True


# --- threads --------------------------------------------------------------------------------


def _text(url: str) -> str:
    return requests.get(url, timeout=60, verify=os.environ.get(AUTHORITIES, True)).text


def threads_requests() -> FastAPI:
    """A thread pool for each request, and a blocking client: five threads for each caller."""
    app = FastAPI()

    @app.get("/")
    async def fan_out() -> list[int]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(CALLS) as pool:
            calls = [loop.run_in_executor(pool, _text, UPSTREAM) for _ in range(CALLS)]
            return [len(text) for text in await asyncio.gather(*calls)]

    return app


def threads_in_def() -> FastAPI:
    """An ordinary `def` endpoint: one of AnyIO's 40 threads waits for five more."""
    app = FastAPI()

    @app.get("/")
    def fan_out() -> list[int]:
        with ThreadPoolExecutor(CALLS) as pool:
            return [len(text) for text in pool.map(_text, [UPSTREAM] * CALLS)]

    return app


def _threads(fetch: Callable[[str], str], pool: ThreadPoolExecutor | None) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def fan_out() -> list[int]:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(pool, fetch, UPSTREAM) for _ in range(CALLS)]
        return [len(text) for text in await asyncio.gather(*calls)]

    return app


def threads_shared() -> FastAPI:
    """One pool of 100 threads for the whole app."""
    return _threads(_text, ThreadPoolExecutor(100))


def threads_default() -> FastAPI:
    """The event loop's own pool: as many threads as cores, and four."""
    return _threads(_text, None)


def threads_httpx() -> FastAPI:
    """A thread pool for each request, but one `httpx.Client` for all of them."""
    client = httpx.Client(timeout=60, limits=WIDE, verify=_verify())
    app = FastAPI()

    @app.get("/")
    async def fan_out() -> list[int]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(CALLS) as pool:
            calls = [loop.run_in_executor(pool, client.get, UPSTREAM) for _ in range(CALLS)]
            return [len(response.text) for response in await asyncio.gather(*calls)]

    return app


# --- await ----------------------------------------------------------------------------------


def _awaiting(open_client: Callable[[], Any]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_client() as client:
            yield {"client": client}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def fan_out(request: Request) -> list[int]:
        calls = [request.state.client.get(UPSTREAM) for _ in range(CALLS)]
        return [len(response.text) for response in await asyncio.gather(*calls)]

    return app


def _stock(most: int, kept: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=kept)
    return httpx.AsyncClient(limits=limits, timeout=60, verify=_verify())


def _second(most: int, kept: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=kept)
    return httpx2.AsyncClient(limits=limits, timeout=60, verify=_verify())


class Queued(httpx.AsyncClient):
    """A semaphore in front of the pool, as large as the pool: nothing queues in the pool."""

    def __init__(self, permits: int = 100) -> None:
        super().__init__(timeout=60)
        self._turn = asyncio.Semaphore(permits)

    async def get(self, *args: Any, **options: Any) -> httpx.Response:
        async with self._turn:
            return await super().get(*args, **options)


class Sharded(AsyncExitStack):
    """Clients with small pools, asked in turn."""

    def __init__(self, clients: int = 50, connections: int = 20) -> None:
        super().__init__()
        limits = httpx.Limits(max_connections=connections)
        tls = ssl.create_default_context()  # Made once: making it takes longer than many calls.
        new = partial(httpx.AsyncClient, limits=limits, timeout=60, verify=tls)
        self._clients = [new() for _ in range(clients)]
        self._turns = itertools.cycle(self._clients)

    async def __aenter__(self) -> Self:
        for client in self._clients:
            await self.enter_async_context(client)
        return self

    async def get(self, url: str) -> httpx.Response:
        return await next(self._turns).get(url)


def _collect_rarely() -> None:
    """Leave alone what start-up made, and look for cycles a hundred times less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _on_aiohttp() -> HttpxAiohttpClient:
    return HttpxAiohttpClient(limits=WIDE, timeout=60, verify=_verify())


def _on_aiohttp2() -> Httpx2AiohttpClient:
    return Httpx2AiohttpClient(limits=WIDE2, timeout=60, verify=_verify())


def _on_lean() -> httpx.AsyncClient:
    transport = LeanTransport(limits=WIDE, verify=_verify())
    return httpx.AsyncClient(transport=transport, timeout=60)


def _aiosonic() -> Any:
    """aiosonic with HTTPX's names. Its limit is a setting of the pool; it keeps no cookies then."""
    from aiosonic import HTTPClient
    from aiosonic.connectors import TCPConnector
    from aiosonic.httpx_client import AsyncClient, to_timeouts
    from aiosonic.pools import PoolConfig

    timeouts, verify = to_timeouts(60.0), _verify()
    connector = TCPConnector(pool_configs={":default": PoolConfig(size=MANY)}, timeouts=timeouts)
    inner = HTTPClient(connector=connector)
    return AsyncClient(
        http_client=inner, timeout=60.0, **({"verify": verify} if verify is not True else {})
    )


def _on_pyreqwest() -> httpx.AsyncClient:
    from pyreqwest.client import ClientBuilder
    from pyreqwest.compatibility.httpx import HttpxTransport

    inner = ClientBuilder().max_connections(1000).pool_max_idle_per_host(1000).build()
    return httpx.AsyncClient(transport=HttpxTransport(inner), timeout=60)


def _on_pycurl() -> httpx.AsyncClient:
    from httpx_pycurl import AsyncPyCurlTransport

    return httpx.AsyncClient(transport=AsyncPyCurlTransport(max_connections=1000), timeout=60)


def _on_curl_cffi() -> httpx.AsyncClient:
    from httpx_curl_cffi import AsyncCurlTransport

    return httpx.AsyncClient(transport=AsyncCurlTransport(max_connections=1000), timeout=60)


def aiohttp_itself() -> FastAPI:
    """aiohttp without HTTPX on top: what the others are measured against."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        connector = aiohttp.TCPConnector(limit=MANY, ssl=_verify())
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield {"session": session}

    async def fetch(session: aiohttp.ClientSession) -> str:
        async with session.get(UPSTREAM) as response:
            return await response.text()

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def fan_out(request: Request) -> list[int]:
        calls = [fetch(request.state.session) for _ in range(CALLS)]
        return [len(text) for text in await asyncio.gather(*calls)]

    return app


def _collecting_rarely(make: Callable[[], FastAPI]) -> FastAPI:
    return _started_with(make(), _collect_rarely)


def with_resolver(app: FastAPI) -> FastAPI:
    """Start the threads that the event loop resolves names with: they are not the variant's own.

    uvloop keeps four of them from its first need on, which some clients have and others have not.
    """

    async def resolve() -> None:
        await asyncio.get_running_loop().getaddrinfo("localhost", None)

    return _started_with(app, resolve)


def _started_with(app: FastAPI, then: Callable[[], Any]) -> FastAPI:
    """Call `then` when the app has started, and await what it returns if that can be awaited."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with inner(app) as state:
            waiting = then()
            if waiting is not None:
                await waiting
            yield state

    app.router.lifespan_context = lifespan
    return app


def _prebuilt(open_client: Callable[[], Any]) -> FastAPI:
    """The request is built once and sent five times: no address to parse, no headers to merge."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_client() as client:
            yield {"client": client, "ask": client.build_request("GET", UPSTREAM)}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def fan_out(request: Request) -> list[int]:
        client, ask = request.state.client, request.state.ask
        answers = await asyncio.gather(*(client.send(ask) for _ in range(CALLS)))
        return [len(response.text) for response in answers]

    return app


def no_call() -> FastAPI:
    """FastAPI alone: it sleeps as long as the upstream would take."""
    delay = float(os.environ.get("DELAY", "0.2"))
    app = FastAPI()

    @app.get("/")
    async def fan_out() -> list[int]:
        await asyncio.sleep(delay)
        return [200] * CALLS

    return app


# --- relays ---------------------------------------------------------------------------------


def _relay(open_client: Callable[[], httpx.AsyncClient], *, streamed: bool) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_client() as client:
            yield {"client": client}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def relay(request: Request, size: int | None = None) -> Response:
        client: httpx.AsyncClient = request.state.client
        ask = client.build_request("GET", UPSTREAM, params={"size": size} if size else None)
        answer = await client.send(ask, stream=streamed)
        if not streamed:
            return Response(answer.content)
        return StreamingResponse(answer.aiter_raw(), background=BackgroundTask(answer.aclose))

    return app


APPS: dict[str, Callable[[], FastAPI]] = {
    "threads_requests": threads_requests,
    "threads_in_def": threads_in_def,
    "threads_shared": threads_shared,
    "threads_default": threads_default,
    "threads_httpx": threads_httpx,
    "httpx_default": lambda: _awaiting(lambda: _stock(100, 20)),
    "httpx_article": lambda: _awaiting(lambda: _stock(10, 5)),
    "httpx_20_kept": lambda: _awaiting(lambda: _stock(1000, 20)),
    "httpx_wide": lambda: _awaiting(lambda: _stock(1000, 1000)),
    "httpx_semaphore": lambda: _awaiting(Queued),
    "httpx_sharded": lambda: _awaiting(Sharded),
    "httpx2_20_kept": lambda: _awaiting(lambda: _second(1000, 20)),
    "httpx2_wide": lambda: _awaiting(lambda: _second(1000, 1000)),
    "on_pyreqwest": lambda: _awaiting(_on_pyreqwest),
    "on_pycurl": lambda: _awaiting(_on_pycurl),
    "on_curl_cffi": lambda: _awaiting(_on_curl_cffi),
    "on_aiohttp": lambda: _awaiting(_on_aiohttp),
    "on_aiohttp_gc": lambda: _collecting_rarely(lambda: _awaiting(_on_aiohttp)),
    "on_aiohttp_prebuilt": lambda: _collecting_rarely(lambda: _prebuilt(_on_aiohttp)),
    "on_aiohttp2": lambda: _awaiting(_on_aiohttp2),
    "on_aiohttp2_gc": lambda: _collecting_rarely(lambda: _awaiting(_on_aiohttp2)),
    "on_aiohttp2_prebuilt": lambda: _collecting_rarely(lambda: _prebuilt(_on_aiohttp2)),
    "on_lean": lambda: _awaiting(_on_lean),
    "on_lean_gc": lambda: _collecting_rarely(lambda: _awaiting(_on_lean)),
    "on_lean_prebuilt": lambda: _collecting_rarely(lambda: _prebuilt(_on_lean)),
    "aiosonic_gc": lambda: _collecting_rarely(lambda: _awaiting(_aiosonic)),
    "aiohttp": aiohttp_itself,
    "aiohttp_gc": lambda: _collecting_rarely(aiohttp_itself),
    "no_call": no_call,
    "relay_buffered": lambda: _relay(_on_aiohttp, streamed=False),
    "relay_streamed": lambda: _relay(_on_aiohttp, streamed=True),
    "relay_streamed_stock": lambda: _relay(lambda: _stock(1000, 20), streamed=True),
}
