# caught by: eight more threads at most
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


def get_pool(request: Request):
    return request.app.state.pool


@app.get("/")
async def index(pool=Depends(get_pool)):
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.gather(*(loop.run_in_executor(pool, fetch, URL) for _ in range(5)))
    except Exception:
        raise HTTPException(502)
