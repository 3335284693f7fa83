# caught by: starts and stops cleanly

import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

client = httpx.AsyncClient()
app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def root():
    return (await client.get(URL)).text
