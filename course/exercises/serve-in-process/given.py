from fastapi import FastAPI as _FastAPI

demo_app = _FastAPI()


@demo_app.get("/")
async def _hello():
    return {"hello": "from the notebook"}
