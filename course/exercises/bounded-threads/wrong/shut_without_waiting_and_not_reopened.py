# caught by: one pool for the app's life
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

pool = ThreadPoolExecutor(max_workers=8)


@asynccontextmanager
async def lifespan(app):
    yield
    pool.shutdown()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.gather(*(loop.run_in_executor(pool, fetch, URL) for _ in range(5)))
    except Exception:
        raise HTTPException(502)
