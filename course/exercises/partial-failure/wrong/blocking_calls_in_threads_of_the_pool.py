# caught by: the deadline bounds the whole call
from concurrent.futures import ThreadPoolExecutor

import httpx
from fastapi import FastAPI, HTTPException

app = FastAPI()


def ask(url):
    try:
        response = httpx.get(url, timeout=DEADLINE)
        return "ok", response.raise_for_status().text
    except httpx.TimeoutException:
        return "failed", "timeout"
    except httpx.HTTPError:
        return "failed", "error"


@app.get("/summary")
def summary():
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        outcomes = list(pool.map(ask, SOURCES.values()))
    answer = {"ok": {}, "failed": {}}
    for name, (outcome, text) in zip(SOURCES, outcomes):
        answer[outcome][name] = text
    if not answer["ok"]:
        raise HTTPException(502)
    return answer
