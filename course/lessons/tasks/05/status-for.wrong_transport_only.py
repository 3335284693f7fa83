def status_for(error):
    if isinstance(error, httpx.PoolTimeout):
        return 503
    if isinstance(error, httpx.ReadTimeout):
        return 504
    if isinstance(error, httpx.TransportError):
        return 502
