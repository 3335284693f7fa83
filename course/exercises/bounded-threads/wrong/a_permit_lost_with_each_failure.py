# caught by: a fetch that raises is a 502
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool, "places": asyncio.Semaphore(8)}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request):
    async def call():
        await request.state.places.acquire()
        text = await asyncio.get_running_loop().run_in_executor(request.state.pool, fetch, URL)
        request.state.places.release()
        return text

    try:
        return await asyncio.gather(*(call() for _ in range(5)))
    except Exception:
        raise HTTPException(502)
