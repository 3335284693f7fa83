"""A thread pool for each request, and a blocking client."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import requests
from fastapi import FastAPI

UPSTREAM = os.environ["UPSTREAM"]
app = FastAPI()


def fetch(url: str) -> str:
    return requests.get(url, timeout=60).text


@app.get("/")
async def fan_out() -> list[int]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=5) as pool:
        calls = [loop.run_in_executor(pool, fetch, UPSTREAM) for _ in range(5)]
        return [len(text) for text in await asyncio.gather(*calls)]
