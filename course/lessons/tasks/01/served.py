@asynccontextmanager
async def served(app):
    server = make_server(app)
    task = asyncio.create_task(server.serve())
    try:
        yield await url_when_started(server)
    finally:
        server.should_exit = True
        await task
