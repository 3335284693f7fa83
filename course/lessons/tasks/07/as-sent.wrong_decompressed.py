def as_sent(response):
    return StreamingResponse(response.aiter_bytes(), media_type="text/plain")
