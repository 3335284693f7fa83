# caught by: five calls at once
# the calls are made by requests, in threads of the pool: fetch is never called
import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import requests
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


def own_fetch(url):
    response = requests.get(url, timeout=60)
    response.raise_for_status()
    return response.text


def in_thread(pool, function, *args):
    """Like asyncio.to_thread, in a pool of our own: the call keeps its context variables."""
    context = contextvars.copy_context()
    return asyncio.get_running_loop().run_in_executor(pool, context.run, function, *args)


@app.get("/")
async def index(request: Request) -> list[str]:
    calls = [in_thread(request.state.pool, own_fetch, URL) for _ in range(5)]
    try:
        return await asyncio.gather(*calls)
    except Exception as error:
        raise HTTPException(502, "an upstream call failed") from error
