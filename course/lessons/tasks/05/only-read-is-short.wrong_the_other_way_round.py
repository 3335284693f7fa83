only_read_is_short = httpx.Timeout(0.3, read=5)
