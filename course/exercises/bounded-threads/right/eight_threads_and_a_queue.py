# Eight threads of one's own and a queue: what a ThreadPoolExecutor is made of
from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse


class Crew:
    def __init__(self, size):
        self.jobs = queue.Queue()
        self.threads = [threading.Thread(target=self.work) for _ in range(size)]

    def work(self):
        while (job := self.jobs.get()) is not None:
            loop, future, url = job
            try:
                done, value = future.set_result, fetch(url)
            except Exception as error:
                done, value = future.set_exception, error
            loop.call_soon_threadsafe(lambda d=done, v=value, f=future: f.cancelled() or d(v))

    def call(self, url):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self.jobs.put((loop, future, url))
        return future

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        for _ in self.threads:
            self.jobs.put(None)
        for t in self.threads:
            t.join()


@asynccontextmanager
async def lifespan(app):
    with Crew(8) as app.state.crew:
        yield


app = FastAPI(lifespan=lifespan)


class Failed(Exception):
    pass


@app.exception_handler(Failed)
async def failed(request, error):
    return JSONResponse({"detail": "bad gateway"}, 502)


@app.get("/")
async def index() -> list[str]:
    done, _ = await asyncio.wait([app.state.crew.call(URL) for _ in range(5)])
    if any(d.exception() for d in done):
        raise Failed
    return [d.result() for d in done]
