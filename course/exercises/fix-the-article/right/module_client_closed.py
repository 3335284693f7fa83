# one client for the module, closed by the lifespan; bytes decoded by hand
import asyncio
import codecs
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = httpx.AsyncClient(
    limits=httpx.Limits(max_connections=10, max_keepalive_connections=5),
    timeout=httpx.Timeout(5.0, read=15.0),
)


@asynccontextmanager
async def lifespan(app):
    yield
    await client.aclose()


app = FastAPI(lifespan=lifespan)


async def fifty():
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for data in response.aiter_bytes():
            text += decoder.decode(data)
            if len(text) >= 50:
                break
    return text[:50]


@app.get("/", response_class=PlainTextResponse)
async def root():
    results = await asyncio.gather(*[fifty() for _ in range(5)], return_exceptions=True)
    if any(isinstance(result, Exception) for result in results):
        return PlainTextResponse("upstream failed", 502)
    return "\n".join(results)
