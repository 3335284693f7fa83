"""Keeps a list of what it has opened, and closes it when the caller has an answer, or has left."""

import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

OPEN = {}


@asynccontextmanager
async def lifespan(app):
    limits = httpx.Limits(max_connections=10)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def first_characters(client, responses):
    response = await client.send(client.build_request("GET", URL), stream=True)
    responses.append(response)
    pieces = OPEN[response] = response.aiter_text()
    response.raise_for_status()
    text = ""
    async for piece in pieces:
        text += piece
        if len(text) >= 50:
            break
    return text[:50]


async def clean_up(tasks, responses):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for response in responses:
        del OPEN[response]
        await response.aclose()


async def leaves(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.get("/")
async def root(request: Request):
    client, responses = request.state.client, []
    tasks = [asyncio.create_task(first_characters(client, responses)) for _ in range(5)]
    calls = asyncio.gather(*tasks)
    leaving = asyncio.create_task(leaves(request))
    await asyncio.wait({calls, leaving}, return_when=asyncio.FIRST_COMPLETED)
    has_left = not calls.done()
    leaving.cancel()
    try:
        lines = [] if has_left else await calls
    except httpx.HTTPError as error:
        raise HTTPException(502, ERROR) from error
    finally:
        await clean_up(tasks, responses)
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
