async def loud(pieces, notes):
    try:
        for piece in [piece async for piece in pieces]:
            yield piece.upper()
    finally:
        notes.append("closed")
