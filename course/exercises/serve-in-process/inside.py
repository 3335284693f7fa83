"""Enter and leave `running(…)` in the answer's loop, which goes on turning meanwhile.

What an app answers, whether its start-up waits or raises, and that its shutdown has run are known
to the marker alone: the app asks for each of it, by a call, when it is served.
"""

import asyncio
import contextlib
import os

import httpx
from fastapi import FastAPI

HERE = os.getpid()


class Broken(Exception):
    """Raised by an app's start-up, or in the body."""


class Stay:
    """One `async with running(app)`, in a task of its own, so that others can be entered, too."""

    def __init__(self, app):
        self.app = app
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
            self.decided.set()


class Exact(FastAPI):
    """An app that goes by what the lifespan's messages say, where FastAPI goes by their order."""

    async def __call__(self, scope, receive, send):
        due = iter(("lifespan.startup", "lifespan.shutdown"))

        async def receive_exactly():
            message = await receive()
            if message["type"] != next(due):
                raise Broken(f"there is no {message['type']} now")
            return message

        exact = receive_exactly if scope["type"] == "lifespan" else receive
        await super().__call__(scope, exact, send)


stays = {}
before: set = set()


async def ask(orders, what):
    """What the marker says to this call, when it lets it go."""
    process = "in-process" if os.getpid() == HERE else "another-process"
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=None) as client:
        return (await client.get(f"{orders}/{process}/{what}")).text


def made_app(kind, orders):
    """An app of this kind, which asks at `orders` for all that it says and does."""
    if kind == "demo":
        return answer.demo_app  # noqa: F821
    if kind == "bare":
        return bare_app(orders)
    app = Exact(lifespan=None if kind == "no lifespan" else made_lifespan(orders))

    @app.get("/")
    async def index():
        return await ask(orders, "text")

    return app


def made_lifespan(orders):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        if error := await ask(orders, "start"):
            raise Broken(error)
        try:
            yield
        except Exception:  # an error in the body may come through here; a cancellation is no end
            await ask(orders, "end")
            raise
        await ask(orders, "end")

    return lifespan


def bare_app(orders):
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        text = await ask(orders, "text")
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f'"{text}"'.encode()})

    return app


async def enter(kind, name, orders):
    """Begin to enter; `state` tells when it is done."""
    if not stays:
        before.update(asyncio.all_tasks())
    stays[name] = Stay(made_app(kind, orders))


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
