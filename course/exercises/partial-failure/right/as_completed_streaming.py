# asyncio.as_completed with a timeout
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(timeout=httpx.Timeout(None, connect=DEADLINE)) as client:
        yield {"client": client}


def get_client(request: Request) -> httpx.AsyncClient:
    return request.state.client


app = FastAPI(lifespan=lifespan)


async def read(client, name, url):
    try:
        async with client.stream("GET", url) as response:
            if response.status_code >= 400:
                return name, None
            return name, "".join([text async for text in response.aiter_text()])
    except httpx.RequestError:
        return name, None


@app.get("/summary")
async def summary(client=Depends(get_client)):
    tasks = [asyncio.create_task(read(client, name, url)) for name, url in SOURCES.items()]
    results = {}
    try:
        for finished in asyncio.as_completed(tasks, timeout=DEADLINE):
            name, text = await finished
            results[name] = text
    except TimeoutError:
        pass
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ok = {name: text for name, text in results.items() if text is not None}
    failed = {name: "error" if name in results else "timeout" for name in SOURCES if name not in ok}
    if not ok:
        raise HTTPException(502, detail=failed)
    return {"ok": ok, "failed": failed}
