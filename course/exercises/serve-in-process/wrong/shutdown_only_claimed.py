# caught by: shut down when left
# the lifespan is cancelled, and whoever waits for its shutdown is told that it has run
import asyncio
import contextlib
import socket
import sys

import uvicorn


@contextlib.asynccontextmanager
async def running(app):
    errors = []

    async def watched(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                errors.append(error)
            raise

    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(watched, log_level="critical"))
    before = asyncio.all_tasks()

    async def serve():
        with contextlib.suppress(SystemExit, asyncio.CancelledError):
            await server._serve([sock])

    task = asyncio.create_task(serve())
    while not server.started:
        if task.done():
            raise RuntimeError("not started") from errors[0]
        await asyncio.sleep(0.01)
    ours = [t for t in asyncio.all_tasks() - before if "ifespan" in repr(t) or t is task]
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        for listening in server.servers:
            listening.close()
        sock.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        for t in ours:
            t.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        claim(sys._getframe())


def claim(frame):
    while frame:
        if "ended" in frame.f_globals and "self" in frame.f_locals:
            frame.f_globals["ended"].append(frame.f_locals["self"].name)
        frame = frame.f_back
