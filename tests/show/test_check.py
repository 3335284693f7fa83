"""What `check` shows while the grader works."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked._marker import defines
from unblocked.grading.judge.mark import exercise
from unblocked.show.learner import _check, _checkview

if TYPE_CHECKING:
    from pathlib import Path

RESULT = {"outcome": "graded", "points": 5, "max_points": 5, "checks": []}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """What a notebook is given, one after the other, by the place that shows it."""
    shown: dict[int, list[str]] = {}

    def put(slot: object, bundle: dict[str, str]) -> None:
        shown.setdefault(id(slot), []).append(bundle["text/plain"])

    for module in (_check, _checkview):
        monkeypatch.setattr(module, "in_kernel", lambda: True)
    monkeypatch.setattr(_checkview.Slot, "put", put)
    return shown


@pytest.fixture
def room(tmp_path: Path) -> Any:
    statement = tmp_path / "exercise.md"
    statement.write_text("Do it.\n", encoding="utf-8")
    solution = tmp_path / "solution.py"
    return SimpleNamespace(
        **{"slug": "go", "title": "Let go", "points": 5, "statement": statement},
        **{"solution": solution, "right": (tmp_path / "a_class.py", tmp_path / "b.py")},
    )


def test_something_is_there_before_the_grader_speaks(
    pages: dict[int, list[str]], room: Any
) -> None:
    shown = _check._Shown(room)
    assert [*pages.values()] == [["Let go: Starting the grader …"]]
    shown.line({"criteria": ["lets go"]})
    shown.line({**RESULT})
    shown.end()
    ((first, waiting, last),) = pages.values()
    assert "Starting" in first
    assert "waiting  lets go" in waiting
    assert "everything passed" in last


def test_a_grader_that_never_began_is_not_said_to_start(
    pages: dict[int, list[str]], room: Any
) -> None:
    shown = _check._Shown(room)
    shown.end()
    ((_, last),) = pages.values()
    assert last == "Let go: The grader has stopped."


def test_the_learners_own_files_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue", "asyncio"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the learner')\n")
    answer = tmp_path / "answer.py"
    answer.write_text("# exercise: one-client\nraise ValueError('mine')\n")
    monkeypatch.chdir(tmp_path)
    result = asyncio.run(_check._run_grader(course.room("one-client"), answer))
    assert result.outcome == "crashed"


def test_what_the_grader_says_in_another_encoding_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grader = tmp_path / "unblocked.py"
    grader.write_text("import sys; sys.stderr.buffer.write(b'caf\\xe9 is closed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = asyncio.run(
        _check._run_grader(course.room("serve-in-process"), tmp_path / "answer.py")
    )
    assert result.outcome == "no-answer"
    assert "is closed" in capsys.readouterr().out


ANSWER = "# exercise: one-client\napp = 1\n"


@pytest.mark.parametrize(
    ("cells", "run", "rival"),
    [
        (["", ANSWER], 1, None),
        (["", ANSWER, "app = 2", ANSWER, "print(app == 3)"], 3, None),
        (["", ANSWER, "app = 2"], 1, 2),
        (["", ANSWER, "from x import y\nasync def app(scope, receive, send):\n    ..."], 1, 2),
        (["", ANSWER, "class app: ...", "application = 3"], 1, 2),
        (["", ANSWER, "# exercise: fan-out\napp = 2"], 1, None),
        (["", "%%time\n# Exercise: ONE-CLIENT\napp = 1"], 1, None),
        (["", "%load_ext x\n\n#exercise:one-client\napp = 1"], 1, None),
        (["", "app = 1"], None, 1),
        ([""], None, None),
    ],
)
def test_the_learner_is_told_which_run_is_marked(
    cells: list[str], run: int | None, rival: int | None
) -> None:
    found = _check._last_executed("one-client", "app", cells)
    assert found.source == (None if run is None else cells[run])
    assert (f"as it was run at [{run}]" in found.told) is (run is not None)
    assert ("defines `app`" in found.told) is (rival is not None)
    if rival is not None:
        assert f"at [{rival}]" in found.told
        assert "# exercise: one-client" in found.told


def test_no_given_cell_is_taken_for_an_answer_without_its_marker() -> None:
    for room in course.rooms():
        text = room.statement.read_text(encoding="utf-8")
        assert not defines(text, _check._needed_name(room)), room.slug


def test_the_needed_name_is_that_of_the_checks() -> None:
    assert _check._needed_name(course.room("serve-in-process")) == "running"
    assert _check._needed_name(course.room("one-client")) == "app"


def test_a_forgotten_await_is_told_in_one_sentence() -> None:
    made = _check.check("one-client")
    advice = 'Nothing is marked yet: write `result = await check("one-client")`.'
    assert repr(made) == advice
    with pytest.raises(AttributeError) as told:
        _ = made.points
    assert str(told.value) == advice
    with pytest.raises(TypeError) as told_too:
        made["points"]
    assert str(told_too.value) == advice


def test_a_marking_can_be_awaited_and_made_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    async def both() -> list[str]:
        one = await _check.check("no-such-exercise")
        other = await asyncio.create_task(_check.check("no-such-exercise"))
        return [one.outcome, other.outcome]

    assert asyncio.run(both()) == ["no-answer", "no-answer"]
    assert capsys.readouterr().out.count("There is no exercise") == 2


def test_while_criteria_are_judged_again_the_headline_says_so(
    pages: dict[int, list[str]], room: Any
) -> None:
    shown = _check._Shown(room, _check._Found("app = 1", "Marked: your cell as it was run at [4]."))
    shown.line({"criteria": ["lets go", "stops"]})
    shown.line({"again": 2})
    ((*_, waiting, again),) = pages.values()
    assert "0 of 2 criteria decided" in waiting
    assert "2 criteria are judged once more" in again
    assert "0 of 2" not in again
    assert "run at [4]" in again


def test_after_full_marks_solutions_stand_beside_ones_own(room: Any) -> None:
    assert _check.solutions(room) == []  # a learner's copy has none
    room.solution.write_text("import httpx\n")
    room.right[0].write_text('"""A class of its own"""\nx = 1\n')
    room.right[1].write_text("# short: no class\ny = 1\n")
    headings, codes = zip(*_check.solutions(room), strict=True)
    assert headings == (
        "The reference solution",
        "In another style: A class of its own",
        "In another style: short: no class",
    )
    assert codes[0] == "import httpx"


def test_every_exercise_has_a_solution_and_two_styles_to_compare_with() -> None:
    for one in course.rooms():
        assert len(_check.solutions(one)) == 1 + _check.OTHERS, one.slug


def test_what_a_hint_is_for_is_a_criterion() -> None:
    for one in course.rooms():
        names = sorted((each.name for each in exercise(one).criteria), key=len, reverse=True)
        for hint in _check.hints(one):
            for wanted in _checkview._FOR.findall(hint):
                for name in names:  # a name may hold a comma, so they are taken out one by one
                    wanted = wanted.replace(name, "")
                assert wanted.strip(" ,\n") == "", (one.slug, wanted)
