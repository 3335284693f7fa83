# caught by: at most four lookups at once
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(timeout=None) as client:
        import threading

        stop = threading.Event()
        for _ in range(6):
            threading.Thread(target=stop.wait, daemon=True).start()
        yield {"sem": anyio.Semaphore(4), "stop": stop, "client": client, "places": 1}
        stop.set()


def place():
    ask = legacy_lookup.__closure__[0].cell_contents
    p = dict(zip(ask.__code__.co_freevars, (c.cell_contents for c in ask.__closure__)))["place"]
    return p.geturl()


app = FastAPI(lifespan=lifespan)


@app.get("/legacy/{key}")
async def legacy(key: str, request: Request):
    # A limiter of its own: its threads are counted apart from those of all other work.
    gate = place()
    async with request.state.sem:
        value = (await request.state.client.get(f"{gate}/legacy/{key}", timeout=None)).text
    return {"value": value}


@app.get("/crunch/{n}")
def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause(request: Request):
    await request.state.client.get(URL)
    return {"paused": True}
