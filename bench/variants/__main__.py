"""Serve one variant: print its port, and end when the standard input is closed."""

from __future__ import annotations

import argparse

from bench.variants.studied import APPS, with_resolver
from unblocked.show.compare.variants.__main__ import serve_until_left

parser = argparse.ArgumentParser(prog="python -m bench.variants")
parser.add_argument("name", choices=APPS)
parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
parser.add_argument("--http", default="h11", choices=["h11", "httptools"])
args = parser.parse_args()
serve_until_left(with_resolver(APPS[args.name]()), args.loop, args.http)
