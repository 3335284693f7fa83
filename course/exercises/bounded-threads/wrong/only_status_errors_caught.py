# caught by: a fetch that raises is a 502
# a connection that is refused or lost raises an error of another class
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import requests
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index(request: Request) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.gather(*[loop.run_in_executor(request.state.pool, fetch, URL) for _ in range(5)])
    except requests.HTTPError as e:
        raise HTTPException(502) from e
