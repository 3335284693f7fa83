"""`serve`: starts, answers, fails with the learner's own error, leaves nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from rig_waiting import PATIENCE, until

from unblocked.rig import Server, load, serve, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from unblocked.rig import Upstream


def hello() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def root() -> str:
        return "hello"

    return app


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("loop", ["asyncio", "auto", "none"])
@pytest.mark.parametrize("http", ["h11", "auto"])
def test_answers_and_leaves_nothing(loop: Any, http: Any) -> None:
    with serve(hello(), loop=loop, http=http) as served:
        assert httpx.get(served.url).json() == "hello"
        assert served.running
    assert refuses(served.port)
    assert not served.running
    served.stop()


def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        transport = receive.__self__.transport  # uvicorn's request cycle
        option = transport.get_extra_info("socket").getsockopt
        no_delay = option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(no_delay).encode()})

    with serve(app) as served:
        assert httpx.get(served.url).text != "0"


def test_many_servers_at_once() -> None:
    servers = [serve(hello()) for _ in range(5)]
    assert len({one.port for one in servers}) == 5
    assert all(httpx.get(one.url).status_code == 200 for one in servers)
    for one in servers:
        one.stop()


def test_works_inside_a_running_loop() -> None:
    async def main() -> str:
        with serve(hello()) as served:
            async with httpx.AsyncClient() as client:
                return (await client.get(served.url)).text

    assert asyncio.run(main()) == '"hello"'


def test_a_failing_startup_raises_the_learners_error() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    with pytest.raises(ValueError, match="no database") as caught:
        serve(FastAPI(lifespan=lifespan))
    assert "started" in caught.value.__notes__[0]
    assert "lifespan" in [entry.name for entry in caught.traceback]


def test_what_caused_a_failing_startup_stays_chained() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            raise KeyError("url")
        except KeyError as error:
            raise ValueError("no address") from error
        yield

    with pytest.raises(ValueError, match="no address") as caught:
        serve(FastAPI(lifespan=lifespan))
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_app_that_exits_at_startup_does_not_end_the_kernel() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise SystemExit(3)
        yield

    with pytest.raises(RuntimeError, match="did not start") as caught:
        serve(FastAPI(lifespan=lifespan))
    assert isinstance(caught.value.__cause__, SystemExit)


def test_a_startup_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(server, "_START_SECONDS", 0.0)
    with pytest.raises(TimeoutError, match="did not start"):
        serve(FastAPI(lifespan=lifespan))


def test_an_interrupted_startup_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    calls: list[None] = []

    def interrupted() -> float:
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return time.monotonic()

    class Clock:
        monotonic = staticmethod(interrupted)
        time = staticmethod(time.time)

    monkeypatch.setattr(server, "time", Clock)
    with pytest.raises(KeyboardInterrupt):
        serve(FastAPI(lifespan=lifespan))


@pytest.mark.parametrize("thing", [None, "main:app", 3])
def test_what_is_no_app_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="ASGI app"):
        serve(thing)


def test_the_lifespan_runs_to_its_end() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        seen.append("begun")
        yield
        seen.append("ended")

    with serve(FastAPI(lifespan=lifespan)):
        assert seen == ["begun"]
    assert seen == ["begun", "ended"]


def test_a_failing_shutdown_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        raise ValueError("cannot close")

    serve(FastAPI(lifespan=lifespan)).stop()
    assert "ValueError: cannot close" in capsys.readouterr().err


def test_a_shutdown_that_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    monkeypatch.setattr(server, "_STOP_SECONDS", 2.0)
    served = serve(FastAPI(lifespan=lifespan))
    served.stop()
    assert refuses(served.port)


def test_a_request_in_flight_does_not_hold_the_stop() -> None:
    app = FastAPI()

    @app.get("/")
    async def wait() -> None:
        await asyncio.Event().wait()

    served = serve(app)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(httpx.get, served.url)
        until(lambda: served.in_flight == 1)
        served.stop()
        assert isinstance(call.exception(), httpx.HTTPError) or call.result().status_code == 500
    assert served.in_flight == 0


def test_a_blocked_loop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    app = FastAPI()

    @app.get("/")
    async def block() -> None:
        release.wait()

    monkeypatch.setattr(server, "_STOP_SECONDS", 0.2)
    served = serve(app)
    with ThreadPoolExecutor() as pool:
        pool.submit(httpx.get, served.url, timeout=60)
        until(lambda: served.in_flight == 1)
        until(lambda: served.lag > 0.1)
        with pytest.warns(RuntimeWarning, match="blocks its event loop"):
            served.stop()
        release.set()
    until(lambda: not served.running)


def test_worker_threads_end_with_the_server() -> None:
    app = FastAPI()

    @app.get("/def")
    def in_a_worker() -> str:
        return threading.current_thread().name

    @app.get("/executor")
    async def in_the_executor() -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, lambda: threading.current_thread().name)

    with serve(app) as served:
        assert httpx.get(f"{served.url}/def").json() == "AnyIO worker thread"
        assert httpx.get(f"{served.url}/executor").json().startswith("asyncio")
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("AnyIO", "asyncio"))]


def test_an_error_is_shown_once_however_often_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    app = FastAPI()

    @app.get("/")
    async def broken() -> str:
        return missing  # type: ignore[name-defined, no-any-return] # noqa: F821

    with serve(app, name="mine") as served:
        assert [httpx.get(served.url).status_code for _ in range(3)] == [500] * 3
    shown = capsys.readouterr().err
    assert shown.count("NameError: name 'missing' is not defined") == 1
    assert "mine: GET / raised" in shown
    assert "site-packages" not in shown


def test_an_error_that_a_framework_wraps_is_shown_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = FastAPI()

    @app.get("/")
    async def breaks_off() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "a piece"
            raise HTTPException(502, "too late")

        return StreamingResponse(pieces())

    with serve(app) as served, pytest.raises(httpx.HTTPError):
        httpx.get(served.url)
    shown = capsys.readouterr().err
    assert "too late" in shown
    assert "site-packages" not in shown


def test_the_log_tells_who_answered_when() -> None:
    with serve(hello()) as served:
        httpx.get(served.url)
        httpx.get(f"{served.url}/unknown")
        until(lambda: served.in_flight == 0)
        first, second = served.log()
    assert (first.method, first.path, first.status) == ("GET", "/", 200)
    assert (second.path, second.status) == ("/unknown", 404)
    assert first.ended is not None
    assert 0 < first.started < first.ended < second.started
    assert first.thread == "serve app"
    assert first.task


def test_a_caller_that_leaves_is_no_longer_in_flight() -> None:
    app = FastAPI()

    async def forever() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(forever())

    with serve(app) as served:
        with httpx.stream("GET", served.url) as answer:
            pieces = answer.iter_raw()  # Kept, since httpx closes with its iterator.
            assert next(pieces) == b"first"
            assert served.in_flight == 1
        until(lambda: served.in_flight == 0)


def test_a_plain_asgi_app_without_a_lifespan() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with serve(app) as served:
        assert httpx.get(served.url).status_code == 204
        assert "docs: none" in served._repr_html_()


def test_a_thousand_requests_at_once() -> None:
    app = FastAPI()
    all_there = asyncio.Event()

    @app.get("/")
    async def meet() -> None:
        if served.in_flight == 1000:
            all_there.set()
        await all_there.wait()

    with serve(app) as served:
        got = asyncio.run(load(served, users=1000, requests=1000, timeout=PATIENCE))
    assert (got.answers, got.errors) == (1000, {})


def test_proxies_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(hello()) as served:
        assert httpx.get(served.url).status_code == 200


def test_watch_calls_whoever_can_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "view", None)
    with serve(hello()) as served:
        with pytest.raises(RuntimeError, match=r"unblocked\.show"):
            served.watch()
        monkeypatch.setattr(Server, "view", lambda drawn, **options: (drawn, options))
        assert served.watch(seconds=3) == (served, {"seconds": 3})


def test_what_notebooks_import_can_be_watched() -> None:
    from unblocked import serve as served_by_notebooks

    assert served_by_notebooks is serve
    assert Server.view is not None


def test_the_clocks_of_server_and_upstream_agree(upstream: Upstream) -> None:
    app = FastAPI()

    @app.get("/")
    def pass_on() -> int:
        return httpx.get(upstream.url).status_code

    with serve(app) as served:
        httpx.get(served.url)
        until(lambda: served.in_flight == 0)
        request, call = served.log()[0], upstream.log()[0]
    assert request.ended is not None
    assert call.ended is not None
    began, ended = served.started_at + request.started, served.started_at + request.ended
    slack = 5.0  # The zeros are read from two clocks, between which a busy machine may pause.
    assert began - slack < upstream.started_at + call.started
    assert upstream.started_at + call.ended < ended + slack


def test_a_server_stopped_from_its_own_endpoint() -> None:
    app = FastAPI()
    made: list[Server] = []

    @app.get("/")
    async def leave() -> str:
        made[0].stop()
        return "bye"

    made.append(serve(app))
    assert httpx.get(made[0].url).json() == "bye"
    until(lambda: not made[0].running)
