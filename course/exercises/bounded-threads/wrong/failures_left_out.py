# caught by: a fetch that raises is a 502
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request):
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(request.state.pool, fetch, URL) for _ in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [result for result in results if isinstance(result, str)]
