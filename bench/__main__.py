"""Run the studies: `python -m bench [NAME…]`, all of them without a name."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench import STUDIES
from bench.report import RESULTS, Report, Size, surroundings, write

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run the named studies; returns the number of those that failed."""
    parser = _parser()
    args = parser.parse_args(words)
    if unknown := [name for name in args.names if name not in STUDIES]:
        parser.error(f"no study is called {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    failed = 0
    for name in args.names or STUDIES:
        print(f"{name}: {STUDIES[name]} …", flush=True)
        try:
            print(f"  {run(name, args.size, args.results)}", flush=True)
        except (RuntimeError, OSError, ImportError) as error:
            print(f"  failed: {error}", file=sys.stderr)
            failed += 1
    return failed


def run(name: str, size: Size, folder: Path = RESULTS) -> Path:
    """Run one study and write what it found; returns its page."""
    load_before = surroundings()["load average"]
    began = time.perf_counter()
    module = import_module(f"bench.{name}")
    report = cast("Report", module.study(size))
    return write(name, report, size, time.perf_counter() - began, load_before, folder)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:12} {what}" for name, what in STUDIES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"The studies:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    sizes = parser.add_mutually_exclusive_group()
    for size, words in {
        "quick": "a coarse grid, some minutes (the default)",
        "full": "the whole grid, about an hour",
        "tiny": "seconds, to see that it runs",
    }.items():
        sizes.add_argument(f"--{size}", dest="size", action="store_const", const=size, help=words)
    parser.set_defaults(size="quick")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write into")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
