# caught by: five calls at once
# its calls look like those of fetch, and are sent by an async client: no thread at all
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(timeout=None, headers={"user-agent": "fetch"}) as client:
        yield {"client": client, "places": asyncio.Semaphore(8)}


app = FastAPI(lifespan=lifespan)


async def ask(state):
    async with state.places:
        response = await state.client.get(URL)
        return response.raise_for_status().text


@app.get("/")
async def index(request: Request) -> list[str]:
    try:
        return await asyncio.gather(*(ask(request.state) for _ in range(5)))
    except httpx.HTTPError as error:
        raise HTTPException(502, "an upstream call failed") from error
