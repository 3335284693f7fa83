# caught by: the loop stays free
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
    try:
        return list(request.state.pool.map(fetch, [URL] * 5))
    except Exception:
        raise HTTPException(502)
