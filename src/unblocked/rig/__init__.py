"""The test rig: a server in this process, an upstream, load, and a meter.

Importing it is cheap: uvicorn, aiohttp and psutil are loaded when they are first needed. It makes
the environment's proxies fit (`free_loopback_of_proxies`), so that a notebook may make a client of
its own before it starts anything of the rig.
"""

from unblocked._descriptors import raise_descriptor_limit
from unblocked.rig._host import descriptors_left, free_loopback_of_proxies
from unblocked.rig.load import LoadResult, load
from unblocked.rig.meter import Meter, Sample
from unblocked.rig.reply import Call, Counts, Reply
from unblocked.rig.server import Request, Server, serve
from unblocked.rig.upstream import Upstream

__all__ = [
    "Call",
    "Counts",
    "LoadResult",
    "Meter",
    "Reply",
    "Request",
    "Sample",
    "Server",
    "Upstream",
    "descriptors_left",
    "free_loopback_of_proxies",
    "load",
    "raise_descriptor_limit",
    "serve",
]

free_loopback_of_proxies()
