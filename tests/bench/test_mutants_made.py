"""Mutants are always the same, each is a change, and what is marked of them is kept."""

from __future__ import annotations

import ast
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench import __main__
from bench import mutants as study
from bench.mutants_made import OPERATORS, Mutant, difference, mutants, mutants_of

if TYPE_CHECKING:
    from pathlib import Path

    from bench.report import Report
    from unblocked.grading.judge.mark import Exercise
    from unblocked.grading.sandbox.pool import Sandbox

APP = '''
import httpx
from fastapi import FastAPI, HTTPException


async def lifespan(app):
    async with httpx.AsyncClient(timeout=None) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def root():
    """Passes the text on."""
    async with app.state.permits:
        try:
            answer = await app.state.client.get(f"{URL}/quote", headers={"x-id": "1"})
            texts = await asyncio.gather(*calls, return_exceptions=True)
        except httpx.HTTPError:
            raise HTTPException(502)
        finally:
            left()
    if answer.status_code >= 400 and not texts:
        raise HTTPException(status_code=404)
    answer.count += 1
    return quote(answer.text[:50])
'''


@pytest.fixture(scope="module")
def made() -> list[Mutant]:
    return mutants(study.studied())


def test_there_are_thousands_by_many_operators(made: list[Mutant]) -> None:
    assert len(made) >= 3000
    assert len({one.id for one in made}) == len(made)
    assert len({(one.slug, one.answer, one.source) for one in made}) == len(made)
    assert {one.operator for one in made} == set(OPERATORS)
    assert {one.slug for one in made} == {room.slug for room in study.studied()}


def test_all_answers_of_all_exercises_are_changed(made: list[Mutant]) -> None:
    changed = {(one.slug, one.answer) for one in made}
    for room in study.studied():
        assert {(room.slug, path.stem) for path in (room.solution, *room.right)} <= changed


def test_every_beginning_is_spread(made: list[Mutant]) -> None:
    first = made[: study.MARKED["quick"]]
    assert {one.operator for one in first} == set(OPERATORS)
    assert len({one.slug for one in first}) == len(study.studied())
    assert max(Counter(one.slug for one in first).values()) < 0.2 * len(first)


def test_they_are_the_same_each_time() -> None:
    one, two = (mutants_of("a", "app", APP) for _ in range(2))
    assert [(m.id, m.source) for m in one] == [(m.id, m.source) for m in two]
    assert one[0].id == "a/app/finally dropped/24/1"
    assert one[0].digest == two[0].digest != one[1].digest


def test_each_compiles_and_is_another_program() -> None:
    trees = [ast.dump(ast.parse(one.source)) for one in mutants_of("a", "app", APP)]
    assert len(set(trees)) == len(trees)
    assert ast.dump(ast.parse(APP)) not in trees


@pytest.mark.parametrize(
    ("operator", "diff"),
    [
        ("statement dropped", "-answer.count += 1\n+pass"),
        ("statements swapped", "-answer.count += 1\n-return quote(answer.text[:50])\n"
         "+return quote(answer.text[:50])\n+answer.count += 1"),
        ("number moved", "-return quote(answer.text[:50])\n+return quote(answer.text[:51])"),
        ("status moved", "-raise HTTPException(502)\n+raise HTTPException(500)"),
        ("with never left", "-async with httpx.AsyncClient(timeout=None) as app.state.client:\n"
         "+app.state.client = await (httpx.AsyncClient(timeout=None)).__aenter__()\n+if True:"),
        ("with dropped", "-async with app.state.permits:\n+if True:"),
        ("keyword dropped", "-app = FastAPI(lifespan=lifespan)\n+app = FastAPI()"),
        ("argument dropped", "-raise HTTPException(502)\n+raise HTTPException()"),
        ("decorator dropped", '-@app.get("/")'),
        ("except narrowed", "-except httpx.HTTPError:\n+except httpx.ConnectError:"),
        ("except narrowed", "-except httpx.HTTPError:\n"
         "+except (httpx.ConnectError, httpx.HTTPStatusError):"),
        ("except widened", "-except httpx.HTTPError:\n+except Exception:"),
        ("failure not handled", " except httpx.HTTPError:\n+raise\n raise HTTPException(502)"),
        ("finally dropped", "-left()\n+pass"),
        ("comparison moved", "-if answer.status_code >= 400 and not texts:\n"
         "+if answer.status_code > 400 and not texts:"),
        ("condition changed", "-if answer.status_code >= 400 and not texts:\n"
         "+if answer.status_code >= 400:"),
        ("blocking call", " try:\n+import time; time.sleep(0.02)\n"
         ' answer = await app.state.client.get(f"{URL}/quote", headers={"x-id": "1"})'),
        ("blocking call", ' """Passes the text on."""\n'
         "+import threading; threading.Event().wait(0.02)\n async with app.state.permits:"),
        ("another method", '-@app.get("/")\n+@app.post("/")'),
        ("one after the other", "-texts = await asyncio.gather(*calls, return_exceptions=True)\n"
         "+texts = [*[await one for one in calls]]"),
        ("flag flipped", "-texts = await asyncio.gather(*calls, return_exceptions=True)\n"
         "+texts = await asyncio.gather(*calls, return_exceptions=False)"),
        ("await dropped", "-texts = await asyncio.gather(*calls, return_exceptions=True)\n"
         "+texts = asyncio.gather(*calls, return_exceptions=True)"),
        ("value dropped", "-return quote(answer.text[:50])\n+return quote(answer.text)"),
        ("call dropped", "-return quote(answer.text[:50])\n+return (answer.text[:50])"),
        ("sum changed", "-answer.count += 1\n+answer.count -= 1"),
    ],
)  # fmt: skip
def test_an_operator_makes_its_change(operator: str, diff: str) -> None:
    diffs = [m.diff for m in mutants_of("a", "app", APP) if m.operator == operator]
    assert diff in diffs


def test_texts_headers_and_paths_are_changed() -> None:
    diffs = [m.diff.partition("\n+")[2] for m in mutants_of("a", "app", APP)]
    call = "answer = await app.state.client.get("
    assert f"""{call}f"{{URL}}/quote")""" in diffs
    assert f"""{call}f"{{URL}}/quote", headers={{}})""" in diffs
    assert f"""{call}f'{{URL}}/quotex', headers={{"x-id": "1"}})""" in diffs
    assert f"""{call}f"{{URL}}/quote", headers={{"x-id": '1x'}})""" in diffs


def test_nothing_blocks_in_a_lifespan_and_no_docstring_is_changed() -> None:
    for one in mutants_of("a", "app", APP):
        assert not (one.operator == "blocking call" and one.line < 13)
        assert "Passes the text on." in one.source or "root" not in one.source


def test_a_difference_has_the_lines_that_differ() -> None:
    assert difference("a\n b\nc\n", "a\n b2\nc\n") == "-b\n+b2"
    assert difference("a\nc\n", "a\n b\nc\n") == " a\n+b\n c"


# --- marks and explanations -------------------------------------------------------------------


def _some() -> list[Mutant]:
    return mutants_of("one-client", "app", APP)[:3]


def _mark(mutant: Mutant, killed_by: str, version: str = "2") -> study.Mark:
    return study.Mark(mutant.digest, version, killed_by)


def test_marks_are_kept_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    one, two, _ = _some()
    file = tmp_path / study.KEPT
    marks = study.Marks(file)
    marks.add(one, _mark(one, "five calls"))
    marks.add(two, _mark(two, ""))
    file.write_bytes(file.read_bytes() + b'["torn", ')
    again = study.Marks(file)
    assert again.of(_some()) == {one.id: _mark(one, "five calls"), two.id: _mark(two, "")}
    assert [json.loads(line)[0] for line in file.read_text().splitlines()] == [one.id, two.id]


def test_survivors_of_earlier_checks_are_marked_first_and_what_they_killed_last(
    tmp_path: Path,
) -> None:
    killed, fresh, survived = _some()
    marks = study.Marks(tmp_path / study.KEPT)
    marks.add(killed, _mark(killed, "five calls", "1"))
    marks.add(survived, _mark(survived, "", "1"))
    missing = marks.missing(_some(), {"one-client": "2"})
    assert [one.id for one in missing] == [survived.id, fresh.id, killed.id]
    assert marks.missing(_some(), {"one-client": "1"}) == [fresh]


def test_a_mark_of_another_text_does_not_count(tmp_path: Path) -> None:
    one, *_ = _some()
    marks = study.Marks(tmp_path / study.KEPT)
    marks.add(one, study.Mark("another", "2", ""))
    assert marks.of(_some()) == {}


def _known(tmp_path: Path, text: str) -> list[study.Explanation]:
    path = tmp_path / study.EXPLAINED
    path.write_text(text, encoding="utf-8")
    return list(study._explained("one-client", path))


def test_an_explanation_fits_by_operator_answer_and_pattern(tmp_path: Path) -> None:
    text = """# Why

Some words.

- text changed, number moved: `HTTPException\\(.*"` — the text of an error
  is not asked
- keyword dropped: `timeout=` (solution, app) — nothing takes that long
"""
    words, timeout = _known(tmp_path, text)
    assert words.reason == "the text of an error is not asked"
    mutant = Mutant("one-client", "app", "keyword dropped", 3, 1, "", "-f(timeout=1)\n+f()")
    assert timeout.fits(mutant)
    assert not words.fits(mutant)
    assert study.unexplained([mutant], [words]) == [mutant]
    assert study.unexplained([mutant], [words, timeout]) == []
    elsewhere = Mutant("one-client", "other", "keyword dropped", 3, 1, "", mutant.diff)
    assert not timeout.fits(elsewhere)


def test_a_line_that_explains_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not OPERATORS: `PATTERN` — REASON: - keyword dropped"):
        _known(tmp_path, "- keyword dropped `timeout` is harmless\n")


def test_explanations_name_operators_and_answers_that_there_are() -> None:
    rooms = {room.slug: room for room in study.studied()}
    for why in study.explanations(rooms.values()):
        assert why.operators <= set(OPERATORS), why
        answers = (rooms[why.slug].solution, *rooms[why.slug].right)
        assert why.answers <= {path.stem for path in answers}, why


def _figures(report: Report) -> list[int]:
    return list(report.figures.values())


def test_what_is_written_counts_what_was_made_marked_and_survived() -> None:
    killed, survived, unmarked = _some()
    marks = {killed.id: _mark(killed, "five calls", "1"), survived.id: _mark(survived, "")}
    made = [killed, survived, unmarked]
    report = study.report(made, marks, {"one-client": "2"}, [])
    assert report.rows == [
        {"exercise": "one-client", "made": 3, "marked": 2, "killed": 1, "survived": 1}
    ]
    assert _figures(report) == [3, 2, 1, 1, 1, 1]
    [gap] = report.tables["Survived and not explained"]
    assert gap["mutant"] == survived.id


def test_a_run_that_is_stopped_goes_on_where_it_ended(
    made: list[Mutant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    marked: list[str] = []

    async def killer(_task: Exercise, source: str, _sandbox: Sandbox) -> str:
        if len(marked) == 5:
            raise KeyboardInterrupt
        marked.append(source)
        return ""

    monkeypatch.setattr(study, "_killer", killer)
    monkeypatch.setattr(study, "mutants", lambda _rooms: made)
    with pytest.raises(SystemExit):
        __main__.main(["mutants", "--tiny", "--results", str(tmp_path)])
    assert "the same command goes on from here" in capsys.readouterr().err
    assert len((tmp_path / study.KEPT).read_text().splitlines()) == 5
    marked.append("the one that was in hand")
    assert __main__.main(["mutants", "--tiny", "--results", str(tmp_path)]) == 0
    assert len(marked) == 1 + 12
    figures = json.loads((tmp_path / "mutants.json").read_text("utf-8"))["figures"]
    assert figures["marked"] == study.MARKED["tiny"]
