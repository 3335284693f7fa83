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
            response.raise_for_status()  # it is well: now its text
            return "ok", (await client.get(url)).text
    except TimeoutError:
        return "failed", "timeout"
    except httpx.HTTPError:
        return "failed", "error"


@app.get("/summary")
async def summary(request: Request) -> dict[str, dict[str, str]]:
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(ask(request.state.client, url)) for name, url in SOURCES.items()
        }
    answer: dict[str, dict[str, str]] = {"ok": {}, "failed": {}}
    for name, task in tasks.items():
        outcome, text = task.result()
        answer[outcome][name] = text
    if not answer["ok"]:
        raise HTTPException(502, "no source answered")
    return answer
