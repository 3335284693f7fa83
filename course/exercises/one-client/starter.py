# TODO: one client for the app's life, instead of one for each request
import httpx
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def root():
    async with httpx.AsyncClient() as client:
        response = await client.get(URL)
    return response.text
