"""Enter and leave `running(…)` in the answer's loop, which goes on turning meanwhile."""

import asyncio
import contextlib

from fastapi import FastAPI

POLL = 0.02
"""Seconds between two looks at a gate."""
MOST_POLLS = 50


class Broken(Exception):
    """Raised by an app's start-up, or in the body."""


class Stay:
    """One `async with running(app)`, in a task of its own, so that others can be entered, too."""

    def __init__(self, name, app):
        self.name = name
        self.app = app
        self.ended = []
        self.url = None
        self.entered = False
        self.decided = asyncio.Event()
        self.leave = asyncio.Event()
        self.error_in_body = None
        self.came_out = None
        self.task = asyncio.create_task(self.live())

    async def live(self):
        try:
            async with answer.running(self.app) as self.url:  # noqa: F821
                self.entered = True
                self.decided.set()
                await self.leave.wait()
                if self.error_in_body:
                    raise self.error_in_body
        except Exception as error:
            self.came_out = error
        finally:
            self.ended = list(ended)  # at this moment, not a little later
            self.decided.set()


stays = {}
started, passed, ended, gates = [], [], [], {}
before: set = set()


def made_app(kind, name, text, end):
    """An app of this kind, whose answer to GET / is `text`, and whose last word is `end`."""
    if kind == "demo":
        return answer.demo_app  # noqa: F821
    if kind == "bare":
        return bare_app(text)
    app = FastAPI(lifespan=None if kind == "no lifespan" else made_lifespan(kind, name, end))

    @app.get("/")
    async def index():
        return text

    return app


def made_lifespan(kind, name, end):
    gates[name] = False

    @contextlib.asynccontextmanager
    async def lifespan(app):
        started.append(name)
        if kind == "broken":
            raise Broken(name)
        while kind == "gated" and not gates[name]:  # noqa: ASYNC110 - it may be another loop's
            await asyncio.sleep(POLL)
        passed.append(name)
        try:
            yield
        except Exception:  # an error in the body may come through here; a cancellation is no end
            ended.append(end)
            raise
        ended.append(end)

    return lifespan


def bare_app(text):
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f'"{text}"'.encode()})

    return app


async def enter(kind, name, text, end):
    """Begin to enter; `state` tells when it is done."""
    if not stays:
        before.update(asyncio.all_tasks())
    stays[name] = Stay(name, made_app(kind, name, text, end))


async def open_gate(name):
    """Let a gated start-up go on, and wait until it does, if there is one."""
    gates[name] = True
    for _ in range(MOST_POLLS):
        if name in passed:
            break
        await asyncio.sleep(POLL)


def leave(name, error=None):
    """Let the body end, by an exception when `error` is its text."""
    stay = stays[name]
    stay.error_in_body = Broken(error) if error else None
    stay.leave.set()


async def decided(name):
    """Wait until the body is entered, or it is clear that it will not be."""
    await stays[name].decided.wait()
    return await state(name)


async def over(name):
    """Wait until the `async with` is left."""
    await asyncio.wait([stays[name].task])
    return await state(name)


async def state(name):
    """What this stay has come to."""
    stay = stays[name]
    return {
        "entered": stay.entered,
        "url": stay.url if isinstance(stay.url, str) else repr(stay.url),
        "over": stay.task.done(),
        "started": name in started,
        "ended": stay.ended,
        "error": repr(stay.came_out)[:300] if stay.came_out else None,
        "chain": [error.args for error in chain(stay.came_out) if isinstance(error, Broken)],
    }


def chain(error, seen=()):
    """The error, its causes and contexts, and what groups hold."""
    if error is None or error in seen:
        return []
    inner = [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
    return [error, *(e for one in inner for e in chain(one, (*seen, error)))]


async def tasks_left():
    """Names of tasks that are there beside those from before the first stay."""
    own = {asyncio.current_task(), *before}
    left = [task for task in asyncio.all_tasks() if task not in own]
    return [f"{task.get_name()} ({getattr(task.get_coro(), '__qualname__', '')})" for task in left]
