# Starlette alone; AnyIO's threads with a limiter of the app's own
import contextlib

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"eight": anyio.CapacityLimiter(8)}


async def index(request):
    texts = []

    async def one():
        texts.append(await anyio.to_thread.run_sync(fetch, URL, limiter=request.state.eight))

    try:
        async with anyio.create_task_group() as tg:
            for _ in range(5):
                tg.start_soon(one)
    except* Exception:
        pass
    return JSONResponse(texts, 200 if len(texts) == 5 else 502)


app = Starlette(routes=[Route("/", index)], lifespan=lifespan)
