# caught by: shut down when left
import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn


def reporting(app, outcome):
    """The app; what its lifespan says at start-up settles the outcome."""

    async def wrapped(scope, receive, send):
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def watched_send(message):
            await send(message)
            if message["type"] == "lifespan.startup.complete" and not outcome.done():
                outcome.set_result(message["message"])

        try:
            await app(scope, receive, watched_send)
        except BaseException as error:
            if not outcome.done():
                outcome.set_exception(error)
            raise

    return wrapped


async def stop(server, task):
    server.should_exit = True
    await task


async def survive(server):
    try:
        await server.serve()
    except SystemExit as exit_:
        return exit_.code


@asynccontextmanager
async def running(app):
    outcome = asyncio.get_running_loop().create_future()
    outcome.add_done_callback(lambda future: future.cancelled() or future.exception())
    config = uvicorn.Config(
        reporting(app, outcome), host="127.0.0.1", port=0, loop="none", log_level="critical"
    )
    server = uvicorn.Server(config)
    async with AsyncExitStack() as stack:
        task = asyncio.ensure_future(survive(server))
        stack.push_async_callback(stop, server, task)
        while not (server.started or task.done()):  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        if not server.started:
            await outcome
        yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}/"
