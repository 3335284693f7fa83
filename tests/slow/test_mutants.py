"""No small change in a right answer keeps full marks, but those that change nothing asked."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

import pytest

from bench import mutants as study
from bench.mutants_made import Mutant, mutants
from bench.report import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
SAMPLE = 40
"""Mutants that are marked here: some ten seconds on two cores."""


@cache
def _made() -> list[Mutant]:
    return mutants(study.studied())


@cache
def _survivors() -> list[Mutant]:
    """Those that survived, as the results say that lie beside the study."""
    marks = study.Marks(RESULTS / study.KEPT).of(_made())
    return [one for one in _made() if one.id in marks and marks[one.id].survived]


def _told(mutants: list[Mutant]) -> list[str]:
    return [f"{one.id}: {one.diff}" for one in mutants]


def test_a_sample_has_no_survivor_that_is_not_explained(tmp_path: Path) -> None:
    rooms = study.studied()
    sample = _made()[:SAMPLE]
    marks = study.Marks(tmp_path / study.KEPT)
    asyncio.run(study._mark(sample, rooms, marks))
    found = marks.of(sample)
    assert len(found) > SAMPLE / 2, "the machine is too busy to mark the others"
    survivors = [one for one in sample if found[one.id].survived]
    assert _told(study.unexplained(survivors, study.explanations(rooms))) == []


def test_the_results_have_no_survivor_that_is_not_explained() -> None:
    assert _survivors()
    known = study.explanations(study.studied())
    assert _told(study.unexplained(_survivors(), known)) == []


def test_every_explanation_is_about_a_survivor() -> None:
    """Or about one that is not marked yet: it may survive."""
    marked = study.Marks(RESULTS / study.KEPT).of(_made())
    might = [*_survivors(), *(one for one in _made() if one.id not in marked)]
    known = study.explanations(study.studied())
    idle = [why for why in known if not any(why.fits(one) for one in might)]
    assert [f"{why.slug}: {why.pattern.pattern}" for why in idle] == []
