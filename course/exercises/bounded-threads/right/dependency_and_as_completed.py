"""A class that owns the pool, handed in as a dependency; results as they come"""

import asyncio
import concurrent.futures
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException


class Fetcher:
    def __init__(self, threads):
        self.threads = threads
        self.pool = None

    def open(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=self.threads)

    def close(self):
        self.pool.shutdown(wait=True, cancel_futures=True)

    async def get(self, url):
        return await asyncio.get_running_loop().run_in_executor(self.pool, fetch, url)


fetcher = Fetcher(threads=8)


@asynccontextmanager
async def lifespan(_):
    fetcher.open()
    yield
    fetcher.close()


app = FastAPI(lifespan=lifespan)


async def the_fetcher() -> Fetcher:  # a plain `def` would cost a thread
    return fetcher


@app.get("/")
async def index(fetcher: Annotated[Fetcher, Depends(the_fetcher)]):
    calls = [asyncio.create_task(fetcher.get(URL)) for _ in range(5)]
    try:
        return [await call for call in asyncio.as_completed(calls)]
    except OSError:
        raise HTTPException(status_code=502) from None
    finally:
        for call in calls:
            call.cancel()
