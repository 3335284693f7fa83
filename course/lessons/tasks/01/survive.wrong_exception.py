async def survive(server):
    try:
        await server.serve()
    except Exception:
        pass
