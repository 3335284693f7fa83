# caught by: requests share one connection

import httpx
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


async def get_client():
    async with httpx.AsyncClient() as client:
        yield client


@app.get("/", response_class=PlainTextResponse)
async def root(client: httpx.AsyncClient = Depends(get_client)):
    return (await client.get(URL)).text
