# caught by: two apps at the same time
import asyncio
import socket
from contextlib import asynccontextmanager

import uvicorn


@asynccontextmanager
async def running(app):
    import multiprocessing

    with socket.create_server(("127.0.0.1", 0)) as sock:
        p = multiprocessing.get_context("fork").Process(
            target=lambda: uvicorn.Server(uvicorn.Config(app, log_level="critical")).run([sock])
        )
        p.start()
        await asyncio.sleep(1)
        try:
            yield "http://127.0.0.1:%d" % sock.getsockname()[1]
        finally:
            p.terminate()
            await asyncio.to_thread(p.join)
