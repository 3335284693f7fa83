# caught by: each line as soon as it is there
import asyncio
import json
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as client:
        yield {
            "client": client,
            "feeds": asyncio.Semaphore(CAPACITY),
            "places": {name: asyncio.Semaphore(PER_SOURCE) for name in SOURCES},
        }


app = FastAPI(lifespan=lifespan)


async def ask(state, name, url):
    async with state.places[name]:
        try:
            async with asyncio.timeout(DEADLINE):
                response = await state.client.get(url)
            return {"source": name, "text": response.raise_for_status().text}
        except TimeoutError:
            return {"source": name, "error": "timeout"}
        except httpx.HTTPError:
            return {"source": name, "error": "error"}


@app.get("/feed")
async def feed(request: Request):
    if request.state.feeds.locked():
        raise HTTPException(503, headers={"Retry-After": "1"})
    async with request.state.feeds:
        answers = await asyncio.gather(*(ask(request.state, *one) for one in SOURCES.items()))
    return PlainTextResponse("".join(json.dumps(answer) + "\n" for answer in answers))
