@asynccontextmanager
async def announced(app):
    noted.append("up")
    noted.append("down")
    yield
