"""The figures of several rounds of load, as a table's row shows them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unblocked.rig import LoadResult


@dataclass(frozen=True, slots=True)
class Rounds:
    """The results of all rounds of one variant under one load."""

    results: Sequence[LoadResult]

    @property
    def rates(self) -> list[float]:
        """Answers a second of each round; one 0.0 where no round came to its end."""
        return [result.per_second for result in self.results] or [0.0]

    @property
    def per_second(self) -> float:
        """Answers a second, the median of the rounds."""
        return median(self.rates)

    @property
    def p50_ms(self) -> float | None:
        """Half of the answers took so long, the median of the rounds; None without answers."""
        return _median_ms(result.p50 for result in self.results)

    @property
    def p99_ms(self) -> float | None:
        """99 of 100 answers took so long, the median of the rounds; None without answers."""
        return _median_ms(result.p99 for result in self.results)

    @property
    def errors(self) -> Counter[str]:
        """How many errors of each kind there were, in all rounds together."""
        return sum((Counter(result.errors) for result in self.results), Counter())

    @property
    def limited(self) -> bool:
        """Whether the load generator itself was the limit in any round."""
        return any(result.limited for result in self.results)


def milliseconds(seconds: float) -> float | None:
    """Return a latency in milliseconds; None for one that is not a number."""
    return None if math.isnan(seconds) else round(seconds * 1000, 1)


def _median_ms(latencies: Iterable[float]) -> float | None:
    known = [value for value in latencies if not math.isnan(value)]
    return milliseconds(median(known)) if known else None
