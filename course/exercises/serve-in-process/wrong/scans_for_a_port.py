# caught by: loopback only, on a port the system chooses
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


def first_free():
    for port in range(8000, 9000):
        try:
            sock = socket.socket()
            sock.bind(("127.0.0.1", port))
            sock.listen()
            return sock
        except OSError:
            sock.close()
    raise OSError("no free port")


@asynccontextmanager
async def running(app):
    watch = StartupWatch(app)
    config = uvicorn.Config(watch, interface="asgi3", lifespan="auto", log_level="critical")
    server = uvicorn.Server(config)
    with first_free() as sock:
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
