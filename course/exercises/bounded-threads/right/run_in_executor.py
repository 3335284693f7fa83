"""As short as it can be: loop.run_in_executor, which leaves context variables behind"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request):
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(request.state.pool, fetch, URL) for _ in range(5)]
    try:
        return await asyncio.gather(*calls)
    except Exception as error:
        raise HTTPException(502, "an upstream call failed") from error
