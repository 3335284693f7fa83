# caught by: starts and stops cleanly
import asyncio
from contextlib import asynccontextmanager

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


class Lifespan:
    def __init__(self, app):
        self.app = app
        self.orders = asyncio.Queue()
        self.replies = asyncio.Queue()
        self.state = {}
        self.task = asyncio.create_task(self.live())

    async def live(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        await self.app(scope, self.orders.get, self.replies.put)

    async def order(self, what):
        """Tell the app, and wait for its reply. None: it knows no lifespan."""
        self.orders.put_nowait({"type": f"lifespan.{what}"})
        reply = asyncio.create_task(self.replies.get())
        await asyncio.wait({reply, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            return None
        if reply.result()["type"].endswith("failed"):
            await self.task
            raise RuntimeError(reply.result().get("message", "the lifespan failed"))
        return reply.result()


@asynccontextmanager
async def running(app):
    lifespan = Lifespan(app)
    known = await lifespan.order("startup")
    try:
        config = uvicorn.Config(app, log_level="critical", lifespan="off")
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: H11Protocol(config, state, lifespan.state), "127.0.0.1", 0
        )
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in list(state.connections):
                connection.shutdown()
            while state.tasks or state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await server.wait_closed()
    finally:
        if known:
            await lifespan.order("shutdown")
            await lifespan.task
        elif not lifespan.task.cancelled():
            lifespan.task.exception()
