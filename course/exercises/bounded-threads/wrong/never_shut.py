# caught by: starts and stops cleanly
import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, HTTPException

app = FastAPI()
pool = ThreadPoolExecutor(max_workers=8)


@app.get("/")
async def index():
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.gather(*(loop.run_in_executor(pool, fetch, URL) for _ in range(5)))
    except Exception:
        raise HTTPException(502)
