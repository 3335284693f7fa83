def status_for(error):
    try:
        raise error
    except httpx.PoolTimeout:
        return 503
    except httpx.TimeoutException:
        return 504
    except httpx.HTTPError:
        return 502
