# caught by: the surrounding loop goes on turning
import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import uvicorn


class StartupWatch:
    """The app, and the error that its lifespan raised, which uvicorn only writes to its log."""

    def __init__(self, app):
        self.app = app
        self.error = None

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                self.error = error
            raise


async def serve_quietly(server, sock):
    with suppress(SystemExit):  # raised after a failed start-up: it would end the whole loop
        await server.serve(sockets=[sock])


@asynccontextmanager
async def running(app):
    __import__("time").sleep(0.02)
    watch = StartupWatch(app)
    config = uvicorn.Config(watch, interface="asgi3", lifespan="auto", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        task = asyncio.create_task(serve_quietly(server, sock))
        try:
            while not server.started:
                if task.done():
                    raise RuntimeError("the app did not start") from watch.error
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task
