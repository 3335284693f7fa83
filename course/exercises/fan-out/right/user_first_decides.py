# tasks; the user's answer is awaited first, since it can settle the matter
import asyncio
import uuid
from contextlib import asynccontextmanager
from urllib.parse import quote_plus, quote

import httpx
from fastapi import FastAPI, HTTPException, Request

state = {}


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(
        base_url=UPSTREAM, headers={"Authorization": "Bearer " + TOKEN}, timeout=30
    ) as client:
        state["client"] = client
        yield
    state.clear()


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def trace(request: Request, call_next):
    request.state.id = request.headers.get("x-request-id", str(uuid.uuid4()))
    response = await call_next(request)
    response.headers["x-request-id"] = request.state.id
    return response


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, request: Request):
    if user.strip(".") == "" and 1 <= len(user) <= 2:
        raise HTTPException(404)
    client, headers = state["client"], {"x-request-id": request.state.id}
    calls = {
        "user": client.get("/users/" + quote(user, safe=""), headers=headers),
        "orders": client.get(f"/orders?user={quote_plus(user)}", headers=headers),
        "prices": client.get("/prices", headers=headers),
        "status": client.get("/status", headers=headers),
        "recommendations": client.post(
            "/recommendations", json={"user": user, "limit": 3}, headers=headers
        ),
    }
    tasks = {name: asyncio.create_task(call) for name, call in calls.items()}
    await asyncio.wait(tasks.values())
    try:
        found = tasks["user"].result()
        if found.status_code == 404:
            raise HTTPException(404)
        return {
            name: task.result().raise_for_status().json()
            for name, task in tasks.items()
        }
    except httpx.HTTPError as error:
        raise HTTPException(502) from error
