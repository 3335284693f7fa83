# caught by: eight calls in flight, never more
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor() as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request):
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(request.state.pool, fetch, URL) for _ in range(5)]
    try:
        return await asyncio.gather(*calls)
    except Exception:
        raise HTTPException(502)
