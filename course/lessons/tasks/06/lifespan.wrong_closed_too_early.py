@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient() as client:
        state = {"client": client}
    yield state
