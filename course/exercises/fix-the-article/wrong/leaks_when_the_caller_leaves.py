# caught by: lets go when the caller leaves
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5.0, read=15.0)


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def opened(client):
    response = await client.send(client.build_request("GET", URL), stream=True)
    response.raise_for_status()
    return response


@app.get("/")
async def root(request: Request):
    client = request.state.client
    try:
        responses = await asyncio.gather(*[opened(client) for _ in range(5)])
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
    KEPT.extend(responses)

    async def body():
        for response in responses:
            text = ""
            async for piece in response.aiter_text():
                text += piece
                if len(text) >= 50:
                    break
            await response.aclose()
            yield text[:50] + "\n"

    return StreamingResponse(body(), media_type="text/plain")


KEPT = []
