"""The studies behind the figures of the course.

`python -m bench [NAME…]` runs them and writes `bench/results/NAME.json`, `NAME.md` and, where there
is something to see, `NAME.png`. Each study is the module `bench.NAME` with a function
`study(size) -> Report`, `size` being "tiny", "quick" or "full" (see `bench.report`).
"""

STUDIES = {
    "fanout": "answers per second, threads and memory of each way to make five calls",
    "pool": "Python calls per request as HTTPX's pool fills, fitted",
    "recommended": "the client that lesson 10 recommends, against raw aiohttp",
    "garbage": "objects that a call leaves for the garbage collector, by client",
    "http2": "how many calls HTTPX makes at once over HTTP/2",
    "streaming": "memory of passing large bodies through: buffered and streamed",
    "tls": "what keep-alive and a shared client are worth, without TLS and with it",
    "rig": "what the rig itself costs, and where its load generator is the limit",
    "charting": "what the live chart costs, and how quickly Stop ends it",
    "start": "the first set-up, and what every later start adds",
    "grading": "what marking answers and a class costs",
    "course": "what set-up, JupyterLab, lessons and checked exercises cost",
    "mutants": "which small changes in right answers the checks do not see",
}
"""Name → what it measures, in the order in which they run."""
RESUMED = frozenset({"mutants"})
"""Those that keep what they have found, in the folder that they are given too, and go on."""
