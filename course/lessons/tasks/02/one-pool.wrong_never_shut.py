@asynccontextmanager
async def pool_for_the_app(app):
    yield {"pool": ThreadPoolExecutor(max_workers=2)}
