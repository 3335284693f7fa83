# caught by: thirty requests use one connection
import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10)
PATIENCE = httpx.Timeout(2, pool=1)


app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
async def root():
    try:
        async with httpx.AsyncClient(limits=LIMITS, timeout=PATIENCE) as client:
            response = await client.get(URL)
        response.raise_for_status()
    except httpx.PoolTimeout as error:
        raise HTTPException(503, "all connections are busy", {"Retry-After": "1"}) from error
    except httpx.ReadTimeout as error:
        raise HTTPException(504, "the upstream is silent") from error
    except httpx.HTTPError as error:
        raise HTTPException(502, "the upstream failed") from error
    return response.text
