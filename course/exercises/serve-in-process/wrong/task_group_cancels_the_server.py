# caught by: an exception in the body comes out
import asyncio
from contextlib import asynccontextmanager

import uvicorn


class StartupFailed(Exception):
    pass


async def serve(server):
    try:
        await server.serve()
    except SystemExit:
        if not server.started:
            return


@asynccontextmanager
async def running(app):
    errors = []

    async def listening(scope, receive, send):
        if scope["type"] == "lifespan":
            try:
                return await app(scope, receive, send)
            except Exception as error:
                errors.append(error)
                raise
        await app(scope, receive, send)

    config = uvicorn.Config(listening, host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(server))
        try:
            while not server.started and not task.done():
                await asyncio.sleep(0)
            if not server.started:
                raise StartupFailed(str(errors)) from (errors[0] if errors else None)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://localhost:{port}/"
        finally:
            server.should_exit = True
