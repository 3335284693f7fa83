# Retry-After as a date; the first byte has a deadline of its own, the body has none
import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    client = httpx.AsyncClient(timeout=None)
    async with client, asyncio.TaskGroup():
        yield {"client": client, "busy": set()}


app = FastAPI(lifespan=lifespan)


@asynccontextmanager
async def permit(busy):
    try:
        async with asyncio.timeout(1):
            while len(busy) >= 10:
                await asyncio.sleep(0.02)
            busy.add(asyncio.current_task())
    except TimeoutError:
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        raise HTTPException(503, headers={"Retry-After": soon}) from None
    try:
        yield
    finally:
        busy.discard(asyncio.current_task())


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    client = request.state.client
    async with permit(request.state.busy):
        try:
            async with asyncio.timeout(2) as patience, client.stream("GET", URL) as response:
                patience.reschedule(None)
                response.raise_for_status()
                return (await response.aread()).decode()
        except TimeoutError:
            raise HTTPException(504) from None
        except httpx.HTTPError:
            raise HTTPException(502) from None
