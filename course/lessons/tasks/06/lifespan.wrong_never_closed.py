@asynccontextmanager
async def lifespan(app):
    yield {"client": httpx.AsyncClient()}
