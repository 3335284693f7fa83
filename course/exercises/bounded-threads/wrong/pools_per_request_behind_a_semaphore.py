# caught by: one pool for the app's life
import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, HTTPException

app = FastAPI()
places = asyncio.Semaphore(8)


async def call(pool):
    async with places:
        return await asyncio.get_running_loop().run_in_executor(pool, fetch, URL)


@app.get("/")
async def index():
    pool = ThreadPoolExecutor(max_workers=5)
    try:
        return await asyncio.gather(*(call(pool) for _ in range(5)))
    except Exception:
        raise HTTPException(502)
    finally:
        pool.shutdown(wait=False)
