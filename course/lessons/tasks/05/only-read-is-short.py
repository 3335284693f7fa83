only_read_is_short = httpx.Timeout(5, read=0.3)
