async def survive(server):
    try:
        asyncio.create_task(server.serve())
    except SystemExit:
        pass
