"""The edges of the lean transport: TLS, cookies, redirects, the four clocks, what it refuses."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import psutil
import pytest
import trustme

from bench.variants.lean import LeanTransport
from unblocked.rig import Reply, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_LONG = 60.0


class Secure(NamedTuple):
    upstream: Upstream
    authority: trustme.CA

    def trust(self) -> ssl.SSLContext:
        """A context that knows the authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


ROUTES = {
    "/in": Reply(delay=0, headers={"set-cookie": "who=ada; Path=/"}),
    "/moved": Reply(delay=0, redirect="/echo"),
    "/round": Reply(delay=0, redirect="/round"),
    "/echo": Reply(delay=0, echo=True),
    "/hang": Reply(delay=0, hang=True),
}


@pytest.fixture(scope="module")
def scripted() -> Iterator[Upstream]:
    with Upstream(delay=0, routes=ROUTES) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    leaf = authority.issue_cert("127.0.0.1", "inside.example")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
    with Upstream(delay=0, routes=ROUTES, certificate=path) as upstream:
        yield Secure(upstream, authority)


@pytest.fixture(autouse=True)
def _nothing_left(scripted: Upstream, made: Secure) -> Iterator[None]:
    """Every test leaves no thread and no process behind, except those of the upstreams."""
    scripted.reset()
    made.upstream.reset()
    process = psutil.Process()
    threads = set(threading.enumerate())
    children = {child.pid for child in process.children()}
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)
    assert set(threading.enumerate()) <= threads
    assert {child.pid for child in process.children()} <= children


def client(**options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=LeanTransport(**options), timeout=_LONG)


async def _get(url: str, **options: Any) -> httpx.Response:
    async with client(**options) as asking:
        return await asking.get(url)


@asynccontextmanager
async def server(talk: Talk, **options: Any) -> AsyncIterator[str]:
    """A server that does with each connection what `talk` says; gives its address."""

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(talking, "127.0.0.1", 0, **options)
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- TLS ------------------------------------------------------------------------------------


def test_an_own_authority_is_trusted_and_a_connection_shakes_hands_once(made: Secure) -> None:
    async def go() -> list[int]:
        async with client(verify=made.trust()) as asking:
            return [(await asking.get(made.upstream.url)).status_code for _ in range(5)]

    before = made.upstream.handshakes
    assert asyncio.run(go()) == [200] * 5
    assert made.upstream.handshakes - before == made.upstream.counts.opened == 1


def test_without_keep_alive_each_call_shakes_hands(made: Secure) -> None:
    async def go() -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        async with client(verify=made.trust(), limits=limits) as asking:
            for _ in range(3):
                await asking.get(made.upstream.url)

    before = made.upstream.handshakes
    asyncio.run(go())
    assert made.upstream.handshakes - before == 3


def test_a_large_body_comes_whole_over_tls(made: Secure) -> None:
    url = f"{made.upstream.url}/?size=2000000"
    assert len(asyncio.run(_get(url, verify=made.trust())).text) == 2_000_000


def test_an_unknown_authority_is_refused(made: Secure) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        asyncio.run(_get(made.upstream.url))


def test_the_authority_may_come_from_the_environment(
    made: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made.authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        assert asyncio.run(_get(made.upstream.url)).status_code == 200


def test_verify_off_asks_no_authority(made: Secure) -> None:
    assert asyncio.run(_get(made.upstream.url, verify=False)).status_code == 200


def test_a_certificate_for_another_host_is_refused(made: Secure) -> None:
    url = made.upstream.url.replace("127.0.0.1", "localhost")
    with pytest.raises(httpx.ConnectError, match="localhost"):
        asyncio.run(_get(url, verify=made.trust()))


def test_the_name_to_verify_may_be_another_than_the_address(made: Secure) -> None:
    async def go(name: str) -> int:
        async with client(verify=made.trust()) as asking:
            names = {"sni_hostname": name}
            return (await asking.get(made.upstream.url, extensions=names)).status_code

    assert asyncio.run(go("inside.example")) == 200
    with pytest.raises(httpx.ConnectError, match=r"other\.example"):
        asyncio.run(go("other.example"))


def test_a_connection_verified_for_one_name_serves_no_other(made: Secure) -> None:
    async def go() -> None:
        async with client(verify=made.trust()) as asking:
            await asking.get(made.upstream.url, extensions={"sni_hostname": "inside.example"})
            with pytest.raises(httpx.ConnectError, match=r"other\.example"):
                await asking.get(made.upstream.url, extensions={"sni_hostname": "other.example"})

    asyncio.run(go())


def test_plain_http_at_a_tls_port_and_tls_at_a_plain_one_fail(
    made: Secure, scripted: Upstream
) -> None:
    with pytest.raises(httpx.TransportError):
        asyncio.run(_get(made.upstream.url.replace("https:", "http:")))
    with pytest.raises(httpx.ConnectError):
        asyncio.run(_get(scripted.url.replace("http:", "https:"), verify=made.trust()))


# --- what the client does over it -----------------------------------------------------------


def test_cookies_are_the_clients(scripted: Upstream) -> None:
    async def go() -> str:
        async with client() as asking:
            await asking.get(f"{scripted.url}/in")
            echoed = (await asking.get(f"{scripted.url}/echo")).json()
            return str({k.lower(): v for k, v in echoed["headers"].items()}["cookie"])

    assert asyncio.run(go()) == "who=ada"


def test_redirects_are_the_clients_and_keep_the_connection(scripted: Upstream) -> None:
    async def go() -> httpx.Response:
        async with client() as asking:
            assert (await asking.get(f"{scripted.url}/moved")).status_code == 302
            with pytest.raises(httpx.TooManyRedirects):
                await asking.get(f"{scripted.url}/round", follow_redirects=True)
            return await asking.get(f"{scripted.url}/moved", follow_redirects=True)

    answer = asyncio.run(go())
    assert (answer.url.path, [hop.status_code for hop in answer.history]) == ("/echo", [302])
    assert scripted.counts.opened == 1


def test_a_redirect_may_lead_to_tls(scripted: Upstream, made: Secure) -> None:
    async def go() -> httpx.Response:
        async with client(verify=made.trust()) as asking:
            there = httpx.QueryParams(redirect=f"{made.upstream.url}/echo")
            return await asking.get(f"{scripted.url}/?{there}", follow_redirects=True)

    assert asyncio.run(go()).url.scheme == "https"
    assert (scripted.counts.requests, made.upstream.counts.requests) == (1, 1)


def test_the_target_of_a_request_may_be_given(scripted: Upstream) -> None:
    async def go() -> Any:
        async with client() as asking:
            return (await asking.get(scripted.url, extensions={"target": b"/echo?a=b"})).json()

    assert asyncio.run(go())["query"] == "a=b"


def test_no_proxy_of_the_environment_is_asked(
    scripted: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert asyncio.run(_get(scripted.url)).status_code == 200


@pytest.mark.parametrize("option", ["proxy", "http2", "retries", "cert", "uds", "trust_env"])
def test_an_option_that_it_does_not_have_is_named(option: str) -> None:
    options: dict[str, Any] = {option: None}
    with pytest.raises(TypeError, match=f"'{option}'"):
        LeanTransport(**options)


@pytest.mark.parametrize("option", ["proxies", "HTTP/2", "retries", "cert", "asyncio"])
def test_what_it_does_not_do_is_told(option: str) -> None:
    assert option in (LeanTransport.__doc__ or "")


# --- the four clocks ------------------------------------------------------------------------


def test_the_connect_clock_counts_the_handshake_too(made: Secure) -> None:
    async def go() -> None:
        left = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            left.set()

        async with server(mute) as address, client(verify=made.trust()) as asking:
            with pytest.raises(httpx.ConnectTimeout):
                await asking.get(f"https://{address}", timeout=httpx.Timeout(_LONG, connect=0.05))
            await left.wait()

    asyncio.run(go())


def test_the_read_clock_counts_over_tls_too(made: Secure) -> None:
    async def go() -> None:
        async with client(verify=made.trust()) as asking:
            timeout = httpx.Timeout(_LONG, read=0.05)
            with pytest.raises(httpx.ReadTimeout):
                await asking.get(f"{made.upstream.url}/hang", timeout=timeout)
            assert (await asking.get(made.upstream.url)).status_code == 200

    asyncio.run(go())


def test_the_write_clock_counts_while_nobody_reads() -> None:
    async def go() -> None:
        let_go = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await let_go.wait()

        async with server(deaf, limit=1024) as address, client() as asking:
            timeout = httpx.Timeout(_LONG, write=0.05)
            with pytest.raises(httpx.WriteTimeout):
                await asking.post(f"http://{address}", content=bytes(50_000_000), timeout=timeout)
            let_go.set()

    asyncio.run(go())


def test_the_pool_clock_counts_while_all_places_are_taken(scripted: Upstream) -> None:
    async def go() -> None:
        limits = httpx.Limits(max_connections=1)
        async with client(limits=limits) as asking:
            async with asking.stream("GET", scripted.url):
                with pytest.raises(httpx.PoolTimeout):
                    await asking.get(scripted.url, timeout=httpx.Timeout(_LONG, pool=0.05))
            assert (await asking.get(scripted.url)).status_code == 200

    asyncio.run(go())


# --- what is raised -------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "ws://127.0.0.1/", "http:///x"])
def test_only_http_and_https_with_a_host_are_spoken(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        asyncio.run(_get(url))


@pytest.mark.parametrize("host", ["nobody.invalid", f"{'a' * 70}.invalid"])
def test_a_name_that_leads_nowhere_is_a_connect_error(host: str) -> None:
    with pytest.raises(httpx.ConnectError):
        asyncio.run(_get(f"http://{host}/"))


@pytest.mark.parametrize("method", ["G T", "GET\r\nX: 1\r\n", "GÉT", ""])
def test_a_method_that_is_none_is_not_sent(method: str, scripted: Upstream) -> None:
    async def go() -> None:
        async with client() as asking:
            with pytest.raises(httpx.LocalProtocolError):
                await asking.request(method, scripted.url)

    asyncio.run(go())
    assert scripted.counts.requests == 0


@pytest.mark.parametrize("length", ["2", "4"])
def test_a_body_of_another_length_than_said_is_a_local_error(
    length: str, scripted: Upstream
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"

    async def go(content: Any) -> None:
        async with client() as asking:
            said = {"Content-Length": length}
            with pytest.raises(httpx.LocalProtocolError, match="Content-Length"):
                await asking.post(scripted.url, content=content, headers=said)
            assert (await asking.get(scripted.url)).status_code == 200

    asyncio.run(go(pieces()))
    asyncio.run(go(b"abc"))


def answering(said: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    return talk


async def _told(talk: Talk, **asked: Any) -> httpx.Response:
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: noise.append(about))
    async with server(talk) as address, client() as asking:
        try:
            return await asking.request(asked.pop("method", "GET"), f"http://{address}", **asked)
        finally:
            assert noise == []


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n",
    ],
    ids=["nothing", "half a body", "another protocol", "an upgrade"],
)
def test_an_answer_that_is_none_is_a_protocol_error(said: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(_told(answering(said)))


def test_a_reset_while_reading_is_a_read_error() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        plug = writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    with pytest.raises(httpx.ReadError):
        asyncio.run(_told(reset))


def test_a_body_is_chunked_where_the_headers_say_so(scripted: Upstream) -> None:
    async def go(content: bytes) -> Any:
        async with client() as asking:
            ask = asking.build_request("POST", f"{scripted.url}/echo", content=content)
            ask.headers["Transfer-Encoding"] = "chunked"
            ask.headers.pop("Content-Length")
            return (await asking.send(ask)).json()["body"]

    assert [asyncio.run(go(body)) for body in (b"abc", b"")] == ["abc", ""]


def test_a_body_framed_in_two_ways_is_a_local_error(scripted: Upstream) -> None:
    async def go() -> None:
        async with client() as asking:
            said = {"Transfer-Encoding": "chunked"}
            with pytest.raises(httpx.LocalProtocolError, match="exclude each other"):
                await asking.post(scripted.url, content=b"abc", headers=said)

    asyncio.run(go())
    assert scripted.counts.requests == 0


def test_an_answer_before_the_body_was_sent_is_kept() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        writer.write_eof()
        while await reader.read(1_000_000):
            pass

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)
            await asyncio.sleep(0)

    answer = asyncio.run(_told(refuse, method="POST", content=pieces()))
    assert (answer.status_code, answer.text) == (413, "no")


def test_a_body_without_length_ends_with_its_connection() -> None:
    answer = asyncio.run(_told(answering(b"HTTP/1.1 200 OK\r\n\r\nabc")))
    assert answer.text == "abc"
