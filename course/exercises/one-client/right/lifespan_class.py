# a class that is the lifespan

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


class Clients:
    def __init__(self, app):
        self.client = httpx.AsyncClient(limits=httpx.Limits(max_connections=200))

    async def __aenter__(self):
        await self.client.__aenter__()
        return {"client": self.client}

    async def __aexit__(self, *error):
        await self.client.__aexit__(*error)


app = FastAPI(lifespan=Clients)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    return (await request.state.client.get(URL)).text
