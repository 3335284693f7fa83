# aiohttp instead of HTTPX, its timeout as the deadline
import asyncio
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request, Response


@asynccontextmanager
async def lifespan(app):
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield {"session": session}


app = FastAPI(lifespan=lifespan)


async def ask(session, url):
    async with session.get(url, raise_for_status=True) as response:
        return await response.text()


@app.get("/summary")
async def summary(request: Request, response: Response):
    calls = (ask(request.state.session, url) for url in SOURCES.values())
    results = await asyncio.gather(*calls, return_exceptions=True)
    ok, failed = {}, {}
    for name, result in zip(SOURCES, results):
        if isinstance(result, str):
            ok[name] = result
        elif isinstance(result, TimeoutError):
            failed[name] = "timeout"
        elif isinstance(result, aiohttp.ClientError):
            failed[name] = "error"
        else:
            raise result
    if not ok:
        response.status_code = 502
    return {"ok": ok, "failed": failed}
