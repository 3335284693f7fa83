import httpx
from fastapi import FastAPI

app = FastAPI()


# TODO: each of these three keeps the event loop while it waits. Same answers, loop unblocked.
@app.get("/legacy/{key}")
async def legacy(key: str):
    return {"value": legacy_lookup(key)}


@app.get("/crunch/{n}")
async def crunched(n: int):
    return {"value": crunch(n)}


@app.get("/pause")
async def pause():
    httpx.get(URL)
    return {"paused": True}
