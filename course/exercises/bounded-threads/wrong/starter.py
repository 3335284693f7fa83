# caught by: eight calls in flight, never more
import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

app = FastAPI()


# TODO: every request opens a pool of its own. Give the app one, of eight threads at most.
@app.get("/")
async def index() -> list[str]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=5) as pool:
        calls = [loop.run_in_executor(pool, fetch, URL) for _ in range(5)]
        return await asyncio.gather(*calls)
