@asynccontextmanager
async def pool_for_the_app(app):
    with ThreadPoolExecutor() as pool:
        yield {"pool": pool}
