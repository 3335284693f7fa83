"""Run the studies: `python -m bench [NAME…]`, all of them without a name.

`python -m bench agree FOLDER FOLDER…` compares runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench import RESUMED, STUDIES, agree
from bench.report import RESULTS, Report, Size, surroundings, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


EARLIER = RESULTS.with_name("earlier")


def main(words: Sequence[str] | None = None) -> int:
    """Run the named studies; returns the number of those that failed."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["agree"]:
        return _agree(words[1:])
    parser = _parser()
    args = parser.parse_args(words)
    if unknown := [name for name in args.names if name not in STUDIES]:
        parser.error(f"no study is called {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    folder = args.results if args.keep is None else EARLIER / args.keep
    with busy(args.busy):
        return _run_all(args.names or list(STUDIES), args.size, folder, args)


def _run_all(names: Sequence[str], size: Size, folder: Path, args: argparse.Namespace) -> int:
    failed = 0
    for name in names:
        print(f"{name}: {STUDIES[name]} …", flush=True)
        try:
            page = run(name, size, folder, busy=args.busy, short=args.keep is not None)
            print(f"  {page}", flush=True)
        except (RuntimeError, OSError, ImportError) as error:
            print(f"  failed: {error}", file=sys.stderr)
            failed += 1
    return failed


def run(
    name: str, size: Size, folder: Path = RESULTS, *, busy: int = 0, short: bool = False
) -> Path:
    """Run one study and write what it found; returns its page, or the JSON when `short`."""
    about = {"load average before": surroundings()["load average"], "busy processes beside": busy}
    began = time.perf_counter()
    module = import_module(f"bench.{name}")
    arguments = (size, folder) if name in RESUMED else (size,)
    report = cast("Report", module.study(*arguments))
    about |= {"size": size, "seconds": round(time.perf_counter() - began, 1)}
    return write(name, report, about, folder, short=short)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that compute all the time, to see what a busy machine changes."""
    spin = [sys.executable, "-c", "while True: pass"]
    beside = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()


def _agree(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench agree", description="Do rankings and ratios of runs agree?"
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--tolerance", type=float, default=agree.TOLERANCE, help="a share")
    parser.add_argument("--out", type=Path, help="a Markdown file to write, too")
    args = parser.parse_args(words)
    return agree.main(args.folders, args.tolerance, args.out)


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
        "full": "the grid that the figures come from, about half an hour",
        "tiny": "seconds, to see that it runs",
    }.items():
        sizes.add_argument(f"--{size}", dest="size", action="store_const", const=size, help=words)
    parser.set_defaults(size="quick")
    parser.add_argument("--keep", metavar="RUN", help="write only JSON, into bench/earlier/RUN")
    parser.add_argument(
        "--busy", type=int, default=0, metavar="N", help="with N processes that compute beside"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write into")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
