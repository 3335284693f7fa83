# caught by: the deadline cuts what hangs
from fastapi import FastAPI

app = FastAPI()


@app.get("/summary")
async def summary():
    return {"ok": {}, "failed": {}}
