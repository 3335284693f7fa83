"""The test rig: a server in this process, an upstream, load, and a meter.

Importing it is cheap: uvicorn, aiohttp and psutil are loaded when they are first needed. It makes
the environment's proxies fit (`free_loopback_of_proxies`), so that a notebook may make a client of
its own before it starts anything of the rig.

Import what is listed below from here; `child` and `watchdog` (a process of ours and its parent),
`origin`, `example`, `scripted` and `take_home` from their own modules. The others are private.
"""

from unblocked._descriptors import raise_descriptor_limit as raise_descriptor_limit
from unblocked.rig._host import descriptors_left as descriptors_left
from unblocked.rig._host import free_loopback_of_proxies as free_loopback_of_proxies
from unblocked.rig.load import LoadResult as LoadResult
from unblocked.rig.load import load as load
from unblocked.rig.meter import Meter as Meter
from unblocked.rig.meter import Sample as Sample
from unblocked.rig.reply import Call as Call
from unblocked.rig.reply import Counts as Counts
from unblocked.rig.reply import Reply as Reply
from unblocked.rig.server import Request as Request
from unblocked.rig.server import Server as Server
from unblocked.rig.server import serve as serve
from unblocked.rig.upstream import Upstream as Upstream

free_loopback_of_proxies()
