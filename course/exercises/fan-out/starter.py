# TODO: five calls at once over one client, with the token, the request ID, and the right errors
import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/dashboard/{user:path}")
async def dashboard(user: str):
    async with httpx.AsyncClient(base_url=UPSTREAM) as client:
        found = await client.get(f"/users/{user}")
        orders = await client.get(f"/orders?user={user}")
        prices = await client.get("/prices")
        status = await client.get("/status")
    return {
        "user": found.json(),
        "orders": orders.json(),
        "prices": prices.json(),
        "status": status.json(),
    }
