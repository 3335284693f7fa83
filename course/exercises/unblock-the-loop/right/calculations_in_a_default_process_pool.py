"""As many processes as there are cores; the library behind a queue of four workers"""

import asyncio
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from multiprocessing import get_context

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app):
    async with AsyncExitStack() as stack:
        processes = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork"))
        app.state.processes = stack.enter_context(processes)
        app.state.client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        app.state.queue = asyncio.Queue()
        threads = stack.enter_context(ThreadPoolExecutor(4))
        workers = [asyncio.create_task(work(app.state.queue, threads)) for _ in range(4)]
        yield
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def work(queue, threads):
    while True:
        key, answer = await queue.get()
        try:
            answer.set_result(
                await asyncio.get_running_loop().run_in_executor(threads, legacy_lookup, key)
            )
        except Exception as error:
            answer.set_exception(error)


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str):
    answer = asyncio.get_running_loop().create_future()
    app.state.queue.put_nowait((key, answer))
    return {"value": await answer}


@app.get("/crunch/{n}")
async def crunched(n: int):
    job = partial(crunch, n)
    return {"value": await asyncio.get_running_loop().run_in_executor(app.state.processes, job)}


@app.get("/pause")
async def pause():
    await app.state.client.get(URL)
    return {"paused": True}
