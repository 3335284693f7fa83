async def pool_for_the_app(app):
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {"pool": pool}
