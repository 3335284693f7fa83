# the lifespan belongs to a router that the app includes
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=5)
TIMEOUT = httpx.Timeout(5, read=15)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=LIMITS, timeout=TIMEOUT) as client:
        yield {"client": client}


router = APIRouter(lifespan=lifespan)


async def first_characters(client: httpx.AsyncClient, count: int = 50) -> str:
    text = ""
    async with client.stream("GET", URL) as response:
        response.raise_for_status()
        async for piece in response.aiter_text():
            text += piece
            if len(text) >= count:
                break
    return text[:count]


@router.get("/", response_class=PlainTextResponse)
async def index(request: Request):
    client = request.state.client
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(first_characters(client)) for _ in range(5)]
    except* httpx.HTTPError:
        tasks = []  # to raise in here would make a group of it on Python before 3.11.4
    if not tasks:
        raise HTTPException(502, "an upstream call failed")
    return "\n".join(task.result() for task in tasks)


app = FastAPI()
app.include_router(router)
