async def loud(pieces, notes):
    async for piece in pieces:
        yield piece.upper()
    notes.append("closed")
