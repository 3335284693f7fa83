"""Another client, which tries a lost call once more; lines in the order in which they come."""

import asyncio
import codecs
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app):
    connector = aiohttp.TCPConnector(limit=10)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield {"session": session}


app = FastAPI(lifespan=lifespan)


async def first_characters(session):
    text, decoder = "", codecs.getincrementaldecoder("utf-8")()
    async with session.get(URL, raise_for_status=True) as response:
        async for piece in response.content.iter_any():
            text += decoder.decode(piece)
            if len(text) >= 50:
                response.close()
                break
    return text[:50]


@app.get("/")
async def root(request: Request):
    tasks = [asyncio.create_task(first_characters(request.state.session)) for _ in range(5)]
    lines = []
    try:
        for next_one in asyncio.as_completed(tasks):
            lines.append(await next_one)
    except aiohttp.ClientError as error:
        raise HTTPException(502, ERROR) from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return PlainTextResponse("\n".join(lines) + NEWLINE, headers=HEADERS)
