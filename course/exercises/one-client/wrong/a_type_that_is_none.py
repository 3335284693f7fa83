# caught by: passes the text on
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def root(request: Request):
    text = (await request.state.client.get(URL)).text
    return Response(text, media_type="text/plaintext")
