# caught by: fifty callers share one client
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.free, app.state.all = [], []
    yield
    for s in app.state.all:
        await s.close()


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def root(request: Request):
    st = request.app.state
    if not st.free:
        s = aiohttp.ClientSession()
        st.all.append(s)
        st.free.append(s)
    s = st.free.pop()
    try:
        async with s.get(URL) as r:
            return await r.text()
    finally:
        st.free.append(s)
