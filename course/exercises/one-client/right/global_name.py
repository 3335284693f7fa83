# a module's name that the lifespan fills and empties
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = None


@asynccontextmanager
async def lifespan(app):
    global client
    async with httpx.AsyncClient() as client:
        yield
    client = None


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root():
    async with client.stream("GET", URL) as upstream:
        return (await upstream.aread()).decode()
