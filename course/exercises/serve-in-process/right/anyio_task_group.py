# AnyIO's task group holds the server; the error of the body is raised behind it
import contextlib

import anyio
import uvicorn


@contextlib.asynccontextmanager
async def running(app):
    errors, up = [], anyio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            up.set()

    async def watched(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception as e:
            if scope["type"] == "lifespan":
                errors.append(e)
            raise

    server = Server(uvicorn.Config(watched, port=0, log_level="critical"))

    async def live():
        try:
            await server.serve()
        except SystemExit:
            pass
        finally:
            up.set()

    body = None
    async with anyio.create_task_group() as group:
        group.start_soon(live)
        await up.wait()
        if server.started:
            try:
                yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            except Exception as error:
                body = error
            finally:
                server.should_exit = True
    if body:
        raise body
    if not server.started:
        raise errors[0]
