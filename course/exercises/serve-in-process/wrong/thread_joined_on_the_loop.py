# caught by: the surrounding loop goes on turning
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

    def live():
        with contextlib.suppress(SystemExit):
            asyncio.run(server.serve([listener]))

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise failure[0]
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
