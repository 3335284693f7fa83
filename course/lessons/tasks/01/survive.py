async def survive(server):
    try:
        await server.serve()
    except SystemExit:
        pass
