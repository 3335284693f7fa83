def make_client():
    limits = httpx.Limits(max_connections=2)
    return httpx.AsyncClient(limits=limits, transport=httpx.AsyncHTTPTransport())
