# a TaskGroup whose tasks keep their own errors; auth as a flow, headers by a small function
import asyncio
import secrets
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse


class Bearer(httpx.Auth):
    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {TOKEN}"
        yield request


@asynccontextmanager
async def lifespan(app):
    app.state.client = httpx.AsyncClient(base_url=UPSTREAM, auth=Bearer())
    async with app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


class UpstreamError(Exception):
    def __init__(self, status=None):
        self.status = status


async def ask(method, path, request_id, **options):
    try:
        answer = await app.state.client.request(
            method, path, headers={"X-Request-ID": request_id}, **options
        )
        answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as error:
        return UpstreamError(error.response.status_code)
    except httpx.HTTPError:
        return UpstreamError()


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, x_request_id: str | None = Header(None)):
    request_id = x_request_id or secrets.token_hex(16)
    headers = {"X-Request-ID": request_id}
    if user in {".", ".."}:
        raise HTTPException(404, headers=headers)
    async with asyncio.TaskGroup() as group:
        start = lambda *call, **options: group.create_task(ask(*call, **options))
        tasks = {
            "user": start("GET", "users/" + quote(user, safe=""), request_id),
            "orders": start("GET", "orders", request_id, params={"user": user}),
            "prices": start("GET", "prices", request_id),
            "status": start("GET", "status", request_id),
            "recommendations": start(
                "POST", "recommendations", request_id, json={"user": user, "limit": 3}
            ),
        }
    results = {name: task.result() for name, task in tasks.items()}
    if isinstance(results["user"], UpstreamError) and results["user"].status == 404:
        raise HTTPException(404, headers=headers)
    if any(isinstance(result, UpstreamError) for result in results.values()):
        raise HTTPException(502, headers=headers)
    return JSONResponse(results, headers=headers)
