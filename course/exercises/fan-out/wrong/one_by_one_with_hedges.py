# caught by: five calls at once
# one part after the other; whichever is slow is asked for four more times
import asyncio
import uuid
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
from fastapi import FastAPI, HTTPException, Request, Response

SLOW = 0.5


@asynccontextmanager
async def lifespan(app: FastAPI):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=UPSTREAM, headers=headers) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def hedged(ask):
    asked = [asyncio.create_task(ask())]
    try:
        done, _ = await asyncio.wait(asked, timeout=SLOW)
        if not done:
            asked += [asyncio.create_task(ask()) for _ in range(4)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    except httpx.HTTPError as error:
        return error
    finally:
        await asyncio.gather(*asked, return_exceptions=True)


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, request: Request, response: Response):
    client: httpx.AsyncClient = request.state.client
    request_id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
    response.headers["X-Request-ID"] = request_id
    traced = {"X-Request-ID": request_id}
    if user in (".", ".."):  # no client sends them as they are: the token would go elsewhere
        raise HTTPException(404, "no such user", headers=traced)
    wanted = {"user": user, "limit": 3}
    asks = {
        "user": lambda: client.get(f"/users/{quote(user, safe='')}", headers=traced),
        "orders": lambda: client.get("/orders", params={"user": user}, headers=traced),
        "prices": lambda: client.get("/prices", headers=traced),
        "status": lambda: client.get("/status", headers=traced),
        "recommendations": lambda: client.post("/recommendations", json=wanted, headers=traced),
    }
    answers = {name: await hedged(ask) for name, ask in asks.items()}
    found = answers["user"]
    if isinstance(found, httpx.Response) and found.status_code == 404:
        raise HTTPException(404, "no such user", headers=traced)
    for answer in answers.values():
        if isinstance(answer, BaseException) or answer.is_error:
            raise HTTPException(502, "an upstream call failed", headers=traced)
    return {name: answer.json() for name, answer in answers.items()}
