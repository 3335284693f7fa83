def as_sent(response):
    kept = ("content-type", "content-encoding")
    headers = {name: response.headers[name] for name in kept}
    return StreamingResponse(response.aiter_raw(), headers=headers)
