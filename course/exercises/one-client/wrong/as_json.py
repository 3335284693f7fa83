# caught by: passes the text on
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def root(request: Request):
    return (await request.state.client.get(URL)).text
