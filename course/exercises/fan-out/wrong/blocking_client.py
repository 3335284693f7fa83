# caught by: five calls at once
import uuid
from urllib.parse import quote

import httpx
from fastapi import FastAPI, HTTPException, Request, Response

app = FastAPI()


@app.get("/dashboard/{user:path}")
async def dashboard(user: str, request: Request, response: Response):
    request_id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
    response.headers["X-Request-ID"] = request_id
    headers = {"X-Request-ID": request_id, "Authorization": f"Bearer {TOKEN}"}
    if user in (".", ".."):  # no client sends them as they are: the token would go elsewhere
        raise HTTPException(404, "no such user", headers=headers)
    with httpx.Client(base_url=UPSTREAM, headers=headers) as client:
        answers = {
            "user": client.get(f"/users/{quote(user, safe='')}"),
            "orders": client.get("/orders", params={"user": user}),
            "prices": client.get("/prices"),
            "status": client.get("/status"),
            "recommendations": client.post(
                "/recommendations", json={"user": user, "limit": 3}
            ),
        }
    if answers["user"].status_code == 404:
        raise HTTPException(404, headers=headers)
    if any(answer.is_error for answer in answers.values()):
        raise HTTPException(502, headers=headers)
    return {name: answer.json() for name, answer in answers.items()}
