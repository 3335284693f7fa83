# caught by: loopback only, on a port the system chooses
import asyncio
from contextlib import asynccontextmanager

import uvicorn


@asynccontextmanager
async def running(app):
    # TODO: this hopes for the best. Is the port free? Does the server answer yet? Did it fail?
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=8000, log_level="critical"))
    task = asyncio.create_task(server.serve())
    yield "http://127.0.0.1:8000"
    task.cancel()
