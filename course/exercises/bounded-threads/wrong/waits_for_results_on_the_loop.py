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
async def index(request: Request) -> list[str]:
    futures = [request.state.pool.submit(fetch, URL) for _ in range(5)]
    try:
        return [f.result() for f in futures]
    except Exception:
        raise HTTPException(502)
