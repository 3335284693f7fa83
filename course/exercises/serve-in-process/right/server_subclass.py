"""A class with __aenter__ and __aexit__, and a server that says when it is ready"""

import asyncio

import uvicorn


class Announcing(uvicorn.Server):
    def __init__(self, config):
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.ready.set()


class running:
    def __init__(self, app):
        self.app = app
        self.error = None

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.error = error
            raise

    async def __aenter__(self):
        config = uvicorn.Config(
            self, host="127.0.0.1", port=0, interface="asgi3", log_config=None, access_log=False
        )
        self.server = Announcing(config)
        self.serving = asyncio.create_task(self.survive())
        ready = asyncio.create_task(self.server.ready.wait())
        await asyncio.wait({ready, self.serving}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self.serving.done():
            raise RuntimeError("start-up failed") from self.error
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def survive(self):
        try:
            await self.server.serve()
        except SystemExit as error:
            return error.code

    async def __aexit__(self, *_):
        self.server.should_exit = True
        await self.serving
