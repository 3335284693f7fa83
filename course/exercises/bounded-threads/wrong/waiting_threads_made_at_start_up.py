# caught by: eight more threads at most
# callers wait for the eight in threads of their own, which are all started before the first request
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request

CALLERS = 40


@asynccontextmanager
async def lifespan(app: FastAPI):
    with ThreadPoolExecutor(max_workers=8) as pool, ThreadPoolExecutor(CALLERS) as waiting:
        ready = threading.Barrier(CALLERS + 1)
        for _ in range(CALLERS):
            waiting.submit(ready.wait)
        ready.wait()
        yield {"pool": pool, "waiting": waiting}


app = FastAPI(lifespan=lifespan)


def five_texts(pool):
    return list(pool.map(fetch, [URL] * 5))


@app.get("/")
async def index(request: Request) -> list[str]:
    state = request.state
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(state.waiting, five_texts, state.pool)
    except Exception as error:
        raise HTTPException(502, "an upstream call failed") from error
