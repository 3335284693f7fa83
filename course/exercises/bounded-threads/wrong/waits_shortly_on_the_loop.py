# caught by: nothing blocks the loop
# the results are awaited, and then a short pause is left to a thread that the loop waits for
import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {"pool": pool}


app = FastAPI(lifespan=lifespan)


def in_thread(pool, function, *args):
    """Like asyncio.to_thread, in a pool of our own: the call keeps its context variables."""
    context = contextvars.copy_context()
    return asyncio.get_running_loop().run_in_executor(pool, context.run, function, *args)


@app.get("/")
async def index(request: Request) -> list[str]:
    calls = [in_thread(request.state.pool, fetch, URL) for _ in range(5)]
    try:
        texts = await asyncio.gather(*calls)
        request.state.pool.submit(time.sleep, 0.01).result()
        return texts
    except Exception as error:
        raise HTTPException(502, "an upstream call failed") from error
