"""What changes for somebody who writes HTTPX and moves to the client that lesson 10 recommends."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from httpx_aiohttp.httpx2 import AiohttpTransport, Httpx2AiohttpClient

from unblocked.rig import Reply, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

ROUTES = {
    "/set": Reply(delay=0, headers={"Set-Cookie": "seen=yes"}),
    "/echo": Reply(delay=0, echo=True),
    "/hang": Reply(hang=True),
}
OURS, STOCK = (httpx2, Httpx2AiohttpClient), (httpx, httpx.AsyncClient)
Kind = tuple[Any, Any]
LONG = 60.0


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(delay=0, routes=ROUTES) as serving:
        yield serving


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), LONG))


def refused() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("kind", "error"), [(STOCK, httpx.ConnectError), (OURS, httpx2.ConnectTimeout)]
)
def test_nobody_listens(kind: Kind, error: type[Exception]) -> None:
    async def test() -> None:
        async with kind[1]() as client:
            with pytest.raises(error):
                await client.get(refused())

    run(test)


@pytest.mark.parametrize(
    ("kind", "error"), [(STOCK, httpx.RemoteProtocolError), (OURS, httpx2.ReadError)]
)
def test_a_body_that_breaks_off(kind: Kind, error: type[Exception], upstream: Upstream) -> None:
    async def test() -> None:
        async with kind[1]() as client:
            with pytest.raises(error):
                await client.get(f"{upstream.url}/?cut=1&size=5000")

    run(test)


@pytest.mark.parametrize(
    ("kind", "error"), [(STOCK, httpx.PoolTimeout), (OURS, httpx2.ConnectTimeout)]
)
def test_no_connection_is_free(kind: Kind, error: type[Exception], upstream: Upstream) -> None:
    module, new = kind

    async def test() -> None:
        timeout, limits = module.Timeout(LONG, pool=0.05), module.Limits(max_connections=1)
        async with (
            new(limits=limits, timeout=timeout) as client,
            client.stream("GET", f"{upstream.url}/?size=9000000"),
        ):
            with pytest.raises(error):
                await client.get(upstream.url)

    run(test)


def test_a_read_timeout_keeps_its_class(upstream: Upstream) -> None:
    async def test() -> None:
        async with Httpx2AiohttpClient(timeout=httpx2.Timeout(LONG, read=0.05)) as client:
            with pytest.raises(httpx2.ReadTimeout):
                await client.get(f"{upstream.url}/hang")

    run(test)


def test_the_errors_of_httpx2_are_no_errors_of_httpx() -> None:
    assert not issubclass(httpx2.HTTPError, httpx.HTTPError)


@pytest.mark.parametrize(("kind", "sent"), [(STOCK, False), (OURS, True)])
def test_cookies_after_they_were_cleared(kind: Kind, sent: bool, upstream: Upstream) -> None:
    async def test() -> None:
        local = upstream.url.replace("127.0.0.1", "localhost")
        async with kind[1]() as client:
            await client.get(f"{local}/set")
            client.cookies.clear()
            assert ("seen=yes" in (await client.get(f"{local}/echo")).text) is sent

    run(test)


@pytest.mark.parametrize(
    ("module", "transport"), [(httpx, httpx.AsyncHTTPTransport), (httpx2, AiohttpTransport)]
)
def test_a_transport_passed_by_hand_gets_none_of_the_limits(
    module: Any, transport: Any, upstream: Upstream
) -> None:
    async def test() -> None:
        upstream.reset()
        limits = module.Limits(max_connections=1)
        async with module.AsyncClient(limits=limits, transport=transport()) as client:
            upstream.gather_at(9)
            await asyncio.gather(*(client.get(upstream.url) for _ in range(9)))
        assert upstream.counts.peak == 9

    try:
        run(test)
    finally:
        upstream.gather_at(0)


def test_limits_reach_the_recommended_client(upstream: Upstream) -> None:
    async def test() -> None:
        upstream.reset()
        async with Httpx2AiohttpClient(limits=httpx2.Limits(max_connections=3)) as client:
            await asyncio.gather(*(client.get(f"{upstream.url}/?delay=0.05") for _ in range(9)))
        assert upstream.counts.peak == upstream.counts.opened == 3

    run(test)


def test_the_write_timeout_is_ignored() -> None:
    """To a server that does not read stock HTTPX gives up; the other one goes on waiting."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 1_000_000

    async def writes(module: Any, new: Any, url: str) -> None:
        async with new(timeout=module.Timeout(LONG, write=0.1)) as client:
            await client.post(url, content=body())

    async def test() -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            with pytest.raises(httpx.WriteTimeout):
                await writes(*STOCK, url)
            with pytest.raises(TimeoutError):  # ours, below: nothing of the client's
                async with asyncio.timeout(1):
                    await writes(*OURS, url)

    run(test)
