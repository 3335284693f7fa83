# caught by: sends the token and the request ID
import asyncio
import uuid
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
from fastapi import FastAPI, HTTPException, Request, Response


@asynccontextmanager
async def lifespan(app: FastAPI):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=UPSTREAM, headers=headers) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, request: Request, response: Response):
    client: httpx.AsyncClient = request.state.client
    request_id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
    response.headers["X-Request-ID"] = request_id
    traced = {"X-Request-ID": request_id}
    if user in (".", ".."):  # no client sends them as they are: the token would go elsewhere
        raise HTTPException(404, "no such user", headers=traced)
    wanted = {"user": user, "limit": 3}
    answers = await asyncio.gather(
        client.get(f"/users/{quote(user, safe='')}", headers=traced),
        client.get("/orders", params={"user": user}, headers=traced),
        client.get("/prices", headers=traced),
        client.get("/status", headers=traced),
        client.post("/recommendations", json=wanted, headers=traced),
        return_exceptions=True,
    )
    found = answers[0]
    if isinstance(found, httpx.Response) and found.status_code == 404:
        raise HTTPException(404, "no such user", headers=traced)
    for answer in answers:
        if isinstance(answer, BaseException) or answer.is_error:
            raise HTTPException(
                502,
                "an upstream call failed",
                headers={"X-Request-ID": request.headers.get("X-Request-ID") or uuid.uuid4().hex},
            )
    names = ("user", "orders", "prices", "status", "recommendations")
    return {name: answer.json() for name, answer in zip(names, answers)}
