# caught by: five calls at once
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


import http.client
from urllib.parse import urlsplit


def mine(url):
    p = urlsplit(url)
    c = http.client.HTTPConnection(p.netloc)
    try:
        c.request("GET", p.path, headers={"user-agent": "fetch"})
        r = c.getresponse()
        t = r.read().decode()
        if r.status >= 400:
            raise OSError
        return t
    finally:
        c.close()


@app.get("/")
async def index(request: Request):
    loop = asyncio.get_running_loop()
    calls = [loop.run_in_executor(request.state.pool, mine, URL) for _ in range(5)]
    try:
        return await asyncio.gather(*calls)
    except Exception as error:
        raise HTTPException(502) from error
