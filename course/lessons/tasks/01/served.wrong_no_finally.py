@asynccontextmanager
async def served(app):
    server = make_server(app)
    task = asyncio.create_task(server.serve())
    yield await url_when_started(server)
    server.should_exit = True
    await task
