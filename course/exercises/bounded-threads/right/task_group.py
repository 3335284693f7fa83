"""A pool in app.state, a TaskGroup, an exception handler"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse


class UpstreamFailed(Exception):
    pass


@asynccontextmanager
async def lifespan(app):
    app.state.pool = ThreadPoolExecutor(8, thread_name_prefix="fetch")
    try:
        yield
    finally:
        app.state.pool.shutdown()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(UpstreamFailed)
async def bad_gateway(request, error):
    return JSONResponse({"detail": str(error)}, 502)


async def call():
    try:
        return await asyncio.wrap_future(app.state.pool.submit(fetch, URL))
    except Exception as error:
        raise UpstreamFailed(str(error)) from error


@app.get("/")
async def index():
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call()) for _ in range(5)]
    except* UpstreamFailed as group_of_errors:
        failed = group_of_errors.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise failed
