def as_sent(response):
    return StreamingResponse(response.aiter_raw(), media_type=response.headers["content-type"])
