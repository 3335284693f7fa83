# caught by: eight calls in flight, never more
import asyncio

from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/")
async def index():
    try:
        return await asyncio.gather(*(asyncio.to_thread(fetch, URL) for _ in range(5)))
    except Exception:
        raise HTTPException(502)
