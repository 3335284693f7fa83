"""Do runs agree? `python -m bench agree A B [C…]`: rankings and ratios, within the stated spread.

A, B, … are folders with the JSON files of earlier runs; those in `bench/earlier/` are kept small.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from bench.report import significant, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.report import Row

TOLERANCE = 0.2
"""A spread over few repetitions is by luck too narrow: each value may also be off by this share."""


@dataclass(frozen=True)
class Compared:
    """What of a study is compared: the rows that have all these keys."""

    groups: tuple[str, ...]
    """Rows that agree in these were measured under the same load: a ranking each."""
    item: str
    value: str
    spread: str | None
    reference: str
    """The item that ratios are taken to."""


COMPARED = {
    "fanout": Compared(("delay_ms", "users"), "variant", "answers_per_second", "spread", "aiohttp"),
    "recommended": Compared(
        ("users",), "variant", "share_of_aiohttp", "spread_of_share", "aiohttp"
    ),
    "pool": Compared(("idle",), "client", "python_calls", None, "aiohttp"),
    "streaming": Compared(
        ("callers",), "variant", "memory_added_mb", None, "streamed, HttpxAiohttpClient"
    ),
}


@dataclass(frozen=True)
class Range:
    """A value, and what it may be."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, row: Row, compared: Compared, tolerance: float) -> Range:
        """The value of a row, as wide as its spread or the tolerance, whichever is wider."""
        value = float(row[compared.value])
        ends = _ends(row.get(compared.spread or "", ""))
        off = (value * (1 - tolerance), value * (1 + tolerance))
        return cls(value, min(off[0], *ends, value), max(off[1], *ends, value))

    def over(self, other: Range) -> Range:
        """The ratio of the two."""
        if min(other.value, other.low) <= 0:
            return Range(0.0, 0.0, float("inf"))
        return Range(self.value / other.value, self.low / other.high, self.high / other.low)

    def meets(self, other: Range) -> bool:
        """Whether both can be the same."""
        return self.low <= other.high and other.low <= self.high


def _ends(text: Any) -> list[float]:
    found = re.fullmatch(r"([\d.,e+-]+) to ([\d.,e+-]+)", str(text))
    return [float(end.replace(",", "")) for end in found.groups()] if found else []


Ranking = dict[str, Range]


def rankings(path: Path, compared: Compared, tolerance: float) -> dict[tuple[Any, ...], Ranking]:
    """The rankings in a study's JSON, by load."""
    found: dict[tuple[Any, ...], Ranking] = {}
    for row in _rows(json.loads(path.read_text(encoding="utf-8"))):
        if all(key in row for key in (*compared.groups, compared.item, compared.value)):
            load = tuple(row[key] for key in compared.groups)
            ranking = found.setdefault(load, {})
            ranking.setdefault(row[compared.item], Range.of(row, compared, tolerance))
    return found


def _rows(data: dict[str, Any]) -> Iterator[Row]:
    yield from data["rows"]
    for rows in data["tables"].values():
        yield from rows


def verdicts(folders: Sequence[Path], tolerance: float = TOLERANCE) -> list[Row]:
    """A row for each study, pair of runs and load; empty when the runs have nothing in common."""
    found = []
    for name, compared in COMPARED.items():
        paths = [folder / f"{name}.json" for folder in folders]
        runs = [(path, rankings(path, compared, tolerance)) for path in paths if path.exists()]
        for (one, first), (two, second) in combinations(runs, 2):
            for load in first.keys() & second.keys():
                row = _verdict(first[load], second[load], compared.reference)
                if row is not None:
                    told = ", ".join(map(str, load))
                    between = f"{one.parent.name} / {two.parent.name}"
                    found.append({"study": name, "runs": between, "load": told, **row})
    return sorted(found, key=lambda row: (row["study"], row["runs"], len(row["load"]), row["load"]))


def _verdict(one: Ranking, two: Ranking, reference: str) -> Row | None:
    common = [item for item in one if item in two]
    if len(common) < 2:
        return None
    turned = [f"{a} and {b}" for a, b in combinations(common, 2) if _turned(one, two, a, b)]
    ratios = {}
    if reference in common:
        ratios = {
            item: (one[item].over(one[reference]), two[item].over(two[reference]))
            for item in common
            if item != reference
        }
    apart = [item for item, (a, b) in ratios.items() if not a.meets(b)]
    worst = max((_factor(a.value, b.value) for a, b in ratios.values()), default=1.0)
    return {
        "compared": len(common),
        "ranking": "agrees" if not turned else "turned: " + "; ".join(turned),
        "ratios": "agree" if not apart else "apart: " + "; ".join(apart),
        "largest_factor_between_ratios": significant(worst, 3),
    }


def _turned(one: Ranking, two: Ranking, a: str, b: str) -> bool:
    """Whether a is clearly above b in one run, and clearly below it in the other."""
    return (_above(one, a, b) and _above(two, b, a)) or (_above(one, b, a) and _above(two, a, b))


def _above(ranking: Ranking, a: str, b: str) -> bool:
    return ranking[a].low > ranking[b].high


def _factor(one: float, two: float) -> float:
    return max(one, two) / min(one, two) if min(one, two) > 0 else float("inf")


def main(folders: Sequence[Path], tolerance: float, out: Path | None) -> int:
    """Print what agrees, and write it to `out`; returns 1 when something does not agree."""
    rows = verdicts(folders, tolerance)
    if not rows:
        print("These runs have no study in common.")
        return 2
    page = _page(folders, rows, tolerance)
    print(page)
    if out is not None:
        out.write_text(page, encoding="utf-8")
    return int(any(row["ranking"] != "agrees" or row["ratios"] != "agree" for row in rows))


def _page(folders: Sequence[Path], rows: list[Row], tolerance: float) -> str:
    good = sum(row["ranking"] == "agrees" for row in rows)
    same = sum(row["ratios"] == "agree" for row in rows)
    runs = [_about(folder) for folder in folders]
    return "\n\n".join(
        [
            "# Do the runs agree?",
            f"{good} of {len(rows)} rankings and {same} of {len(rows)} sets of ratios agree. Two "
            "variants change places when one is clearly above the other in one run and clearly "
            "below it in the other: their spreads do not touch. A ratio to the reference agrees "
            "when the ranges of both runs touch. A range is as wide as the stated spread, and at "
            f"least ±{tolerance:.0%} of the median, since few repetitions show too little of it.",
            table(runs),
            table(rows),
            "Made again by `python3 start.py bench agree FOLDER FOLDER…`.\n",
        ]
    )


def _about(folder: Path) -> Row:
    studies: list[str] = []
    loads: list[float] = []
    dates: list[str] = []
    busy: set[int] = set()
    for path in sorted(folder.glob("*.json")):
        around = json.loads(path.read_text(encoding="utf-8")).get("surroundings", {})
        if path.stem in COMPARED and around:
            studies.append(f"{path.stem} ({around.get('size', 'unknown')})")
            loads += (around.get("load average before") or [])[:1]
            dates.append(around.get("date", ""))
            busy.add(around.get("busy processes beside", 0))
    return {
        "run": folder.name,
        "studies": ", ".join(studies) or "none",
        "from": min(dates, default="unknown"),
        "load average before": " to ".join(map(str, sorted({min(loads), max(loads)})))
        if loads
        else "unknown",
        "busy processes beside": ", ".join(map(str, sorted(busy))) or "0",
    }
