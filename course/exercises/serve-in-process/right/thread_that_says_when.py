# A thread with a loop of its own, which tells the surrounding loop when it is ready and when over
from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import uvicorn


@asynccontextmanager
async def running(app):
    loop, up, errors = asyncio.get_running_loop(), asyncio.Event(), []

    async def watched(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception as e:
            if scope["type"] == "lifespan":
                errors.append(e)
            raise

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            loop.call_soon_threadsafe(up.set)

    server, done = Server(uvicorn.Config(watched, port=0, log_level="critical")), asyncio.Event()

    def live():
        try:
            with asyncio.Runner() as runner:
                runner.run(server.serve())
        except SystemExit:
            pass
        finally:
            loop.call_soon_threadsafe(up.set)
            loop.call_soon_threadsafe(done.set)

    t = threading.Thread(target=live)
    t.start()
    await up.wait()
    try:
        if not server.started:
            raise RuntimeError("no") from errors[0]
        yield "http://127.0.0.1:%d" % server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await done.wait()
        t.join()
