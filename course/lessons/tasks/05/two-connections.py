def make_client():
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=2))
