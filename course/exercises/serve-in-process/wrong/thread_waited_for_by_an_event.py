# caught by: the surrounding loop goes on turning
"""A thread with a loop of its own; nothing blocks the surrounding loop while it waits"""

import asyncio
import contextlib
import socket
import threading

import uvicorn


@contextlib.asynccontextmanager
async def running(app):
    failure = []

    async def watched(scope, receive, send):
        try:
            await app(scope, receive, send)
        except BaseException as error:
            if scope["type"] == "lifespan":
                failure.append(error)
            raise

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(watched, log_level="critical"))

    ready = threading.Event()
    started = server.startup

    async def startup(sockets=None):
        try:
            await started(sockets)
        finally:
            ready.set()

    server.startup = startup

    def live():
        with contextlib.suppress(SystemExit):
            asyncio.run(server.serve([listener]))

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        ready.wait()
        if not server.started:
            raise failure[0]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)
        listener.close()
