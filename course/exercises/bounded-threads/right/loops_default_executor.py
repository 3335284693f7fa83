"""The app's pool becomes the loop's default executor, for asyncio.to_thread"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    results = await asyncio.gather(
        *(asyncio.to_thread(fetch, URL) for _ in range(5)), return_exceptions=True
    )
    if any(isinstance(result, Exception) for result in results):
        raise HTTPException(502)
    return results
