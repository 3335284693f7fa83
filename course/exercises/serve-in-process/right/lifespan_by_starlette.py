"""FastAPI's lifespan is entered by hand, so that its error comes out as it is"""

import asyncio
import contextlib

import uvicorn


@contextlib.asynccontextmanager
async def running(app):
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(app, "router"):  # a plain ASGI function has no lifespan to be entered
            await stack.enter_async_context(app.router.lifespan_context(app))
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, lifespan="off", log_level="error", access_log=False
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
            address, port = server.servers[0].sockets[0].getsockname()
            yield f"http://{address}:{port}"
        finally:
            server.should_exit = True
            await task
