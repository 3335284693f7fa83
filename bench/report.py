"""What a study found, and how it is written: JSON, Markdown and a picture."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from unblocked.show.compare.race import server_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Size = Literal["tiny", "quick", "full"]
"""tiny: seconds, for tests; quick: the default, minutes; full: what the figures come from."""
Row = dict[str, Any]

RESULTS = Path(__file__).with_name("results")
_PACKAGES = (
    "fastapi",
    "starlette",
    "uvicorn",
    "httpx",
    "httpcore",
    "httpx2",
    "httpcore2",
    "httpx-aiohttp",
    "h2",
    "aiosonic",
    "aiohttp",
    "requests",
    "anyio",
    "sniffio",
    "uvloop",
    "httptools",
    "pyreqwest",
    "httpx-pycurl",
    "httpx-curl-cffi",
    "certifi",
    "trustme",
)


@dataclass
class Report:
    """What a study found."""

    title: str
    rows: list[Row]
    """The main table: a dictionary per row, all with the same keys in the same order."""
    notes: list[str] = field(default_factory=list)
    """Paragraphs above the table, in Markdown."""
    tables: dict[str, list[Row]] = field(default_factory=dict)
    """Further tables below: heading → rows."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Single figures that a page may quote: name → number."""
    picture: bytes | None = None
    """A PNG file."""
    alt: str = ""
    """What the picture shows, in words."""


def write(
    name: str,
    report: Report,
    about: dict[str, Any],
    folder: Path = RESULTS,
    *,
    short: bool = False,
) -> Path:
    """Write `NAME.json`, `NAME.md` and `NAME.png` into `folder`; returns the Markdown file.

    `about` says of the run what its surroundings do not: at least its size and its seconds. When
    `short`, only the JSON is written and returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    around = {**surroundings(), **about}
    data = {
        "title": report.title,
        "surroundings": around,
        "notes": report.notes,
        "figures": report.figures,
        "rows": report.rows,
        "tables": report.tables,
    }
    text = json.dumps(data, indent=1, ensure_ascii=False)
    data_file = folder / f"{name}.json"
    data_file.write_text(text + "\n", encoding="utf-8")
    if short:
        return data_file
    if report.picture is not None:
        (folder / f"{name}.png").write_bytes(report.picture)
    page = folder / f"{name}.md"
    page.write_text(markdown(name, report, around), encoding="utf-8")
    return page


def markdown(name: str, report: Report, around: dict[str, Any]) -> str:
    """The report as a page."""
    parts = [f"# {report.title}", *report.notes]
    if report.picture is not None:
        parts.append(f"![{report.alt}]({name}.png)")
    parts.append(table(report.rows))
    for heading, rows in report.tables.items():
        parts += [f"## {heading}", table(rows)]
    if report.figures:
        single = [{"figure": what, "value": value} for what, value in report.figures.items()]
        parts += ["## Single figures", table(single)]
    parts += ["## Where it was measured", _where(name, around)]
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table, numbers to the right."""
    if not rows:
        return "Nothing was measured."
    head = list(rows[0])
    numeric = [all(isinstance(row[key], int | float | None) for row in rows) for key in head]
    lines = [head, ["--:" if right else "---" for right in numeric]]
    lines += [[cell(row[key]) for key in head] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A value as it stands in a table: numbers with no more digits than they can bear."""
    if value is None:
        return "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def surroundings() -> dict[str, Any]:
    """The machine, the versions, the load on the machine, and the server's settings."""
    loop, http = server_options()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "python": platform.python_version(),
        "load average": _load_average(),
        "niceness": _niceness(),
        "uvicorn": {"loop": loop, "http": http},
        "versions": dict(_versions()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def _niceness() -> str | None:
    """Of this process, and of its session where the system groups processes by sessions."""
    if not hasattr(os, "nice"):
        return None
    try:
        group = Path("/proc/self/autogroup").read_text(encoding="utf-8").split("nice")[-1].strip()
    except OSError:
        return str(os.nice(0))
    return f"{os.nice(0)}, of its session {group}"


def _load_average() -> list[float] | None:
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _versions() -> Iterable[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:
            yield package, "not installed"


def _where(name: str, around: dict[str, Any]) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in around["versions"].items())
    server = around["uvicorn"]
    before = _averages(around.get("load average before"))
    after = _averages(around["load average"])
    busy = around.get("busy processes beside", 0)
    lines = [
        f"- {around['date']}, {around['seconds']:g} s, size `{around['size']}`",
        f"- {around['system']}, {around['processor']}, {around['cores']} cores",
        f"- load average (1, 5, 15 minutes): {before} before, {after} after; "
        f"niceness of the study's processes {around['niceness']}; "
        f"{busy} processes computing beside",
        f"- Python {around['python']}; uvicorn with loop={server['loop']}, http={server['http']}",
        f"- {versions}",
        f"- Made again by `python3 start.py bench {name} --{around['size']}`.",
    ]
    return "\n".join(lines)


def _averages(values: list[float] | None) -> str:
    return "unknown" if values is None else ", ".join(f"{value:g}" for value in values)


def middle(values: Sequence[float], digits: int = 4) -> float | None:
    """The median, rounded to significant digits; None of nothing."""
    return significant(median(values), digits) if values else None


def spread(values: Sequence[float]) -> str:
    """From the least to the most, in words."""
    return f"{cell(min(values))} to {cell(max(values))}" if values else "none"


def significant(value: float, digits: int = 4) -> float:
    """Rounded to so many significant digits: more is noise."""
    return float(f"{value:.{digits}g}")
