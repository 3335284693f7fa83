async def loud(pieces, notes):
    try:
        async for piece in pieces:
            yield piece.upper()
    finally:
        notes.append("closed")
