def make_client():
    return httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=2))
