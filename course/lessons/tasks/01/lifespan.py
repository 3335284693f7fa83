@asynccontextmanager
async def announced(app):
    noted.append("up")
    yield
    noted.append("down")
