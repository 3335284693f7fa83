"""Which code is the answer, in all the shapes that notebooks come in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from unblocked.grading import answer

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "# exercise: relay\n"


def cell(source: str, grade_id: str = "") -> dict[str, Any]:
    metadata = {"nbgrader": {"grade_id": grade_id, "solution": True}} if grade_id else {}
    return {"cell_type": "code", "source": source, "metadata": metadata}


def found(tmp_path: Path, *cells: dict[str, Any]) -> answer.Answer:
    path = tmp_path / "relay.ipynb"
    path.write_text(json.dumps({"cells": list(cells)}))
    return answer.read(path, "relay")


def test_the_cell_with_the_id(tmp_path: Path) -> None:
    assert found(tmp_path, cell("x = 1"), cell("app = 1", "relay")).source == "app = 1"


def test_the_marker_line_when_the_id_is_lost(tmp_path: Path) -> None:
    assert found(tmp_path, cell(MARKER + "app = 2")).source == MARKER + "app = 2"


def test_of_copied_cells_the_last_counts(tmp_path: Path) -> None:
    got = found(tmp_path, cell("app = 1", "relay"), cell("app = 2", "relay"))
    assert got.source == "app = 2"
    assert "last one counts" in got.note


def test_a_split_cell_is_put_together(tmp_path: Path) -> None:
    got = found(tmp_path, cell("app = make()", "relay"), cell("app.x = 1", "relay"))
    assert got.source == "app = make()\napp.x = 1"


HEAD = "from web import App, get\nimport httpx\nfrom app_parts import lifespan as living\n"
TAILS = {
    "at the top": "app = App(lifespan=living)",
    "in a function": "app = 1\nasync def root():\n    return await httpx.get(URL)",
    "as a decorator": "app = 1\n@get('/')\ndef root(): ...",
    "in an annotation": "app = 1\ndef root(client: httpx.Client): ...",
    "at the top, with await": "app = await App()",
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_cell_split_after_its_imports_is_put_together(tmp_path: Path, tail: str) -> None:
    got = found(tmp_path, cell(MARKER + HEAD, "relay"), cell(tail, "relay"))
    assert got.source == f"{MARKER}{HEAD}\n{tail}"
    assert "split" in got.note


COPIES = {
    "the same": HEAD + TAILS["at the top"],
    "with less than before": "from web import App\napp = App()",
    "with names of the exercise": "import httpx\napp = lambda: httpx.get(URL)",
    "with names of its own": "app = 1\ndef root(get):\n    living = get\n    return living",
    "with a name bound by a function": "app = 1\ndef f():\n    global get\n    get = 1\nget",
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_that_stands_by_itself_counts_alone(tmp_path: Path, copy: str) -> None:
    before = HEAD + "app = App()\nraise SystemExit"
    assert found(tmp_path, cell(before, "relay"), cell(copy, "relay")).source == copy


def test_cells_that_do_not_parse_are_no_parts(tmp_path: Path) -> None:
    got = found(tmp_path, cell("app = (", "relay"), cell("app = App()", "relay"))
    assert got.source == "app = App()"


def test_source_as_a_list_of_lines(tmp_path: Path) -> None:
    lines: Any = ["app = 1\n", "x = 2"]
    assert found(tmp_path, cell(lines, "relay")).source == "app = 1\nx = 2"


def test_no_answer_cell(tmp_path: Path) -> None:
    with pytest.raises(answer.NoAnswer, match="# exercise: relay"):
        found(tmp_path, cell("app = 1"))


def test_an_empty_answer(tmp_path: Path) -> None:
    with pytest.raises(answer.NoAnswer, match="empty"):
        found(tmp_path, cell(MARKER + "\n# only a comment\n", "relay"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"cells": 3}', b"[]", b'"x"', b"\xff\xfe\x00", b'{"cells": [1]}', b"[" * 100_000],
    ids=["empty", "cut", "no list", "a list", "a string", "binary", "odd cells", "deep"],
)
def test_a_file_that_is_no_notebook(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "relay.ipynb"
    path.write_bytes(content)
    with pytest.raises(answer.Unusable, match=r"relay\.ipynb"):
        answer.read(path, "relay")


def test_odd_metadata_harms_nobody(tmp_path: Path) -> None:
    odd = [{"cell_type": "code", "source": "x", "metadata": m} for m in (None, [], {"nbgrader": 3})]
    assert found(tmp_path, *odd, cell("app = 1", "relay")).source == "app = 1"


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.txt"
    path.write_text("app = 1")
    with pytest.raises(answer.Unusable, match="neither a notebook"):
        answer.read(path, "relay")


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.ipynb"
    path.write_bytes(b" " * (answer.LARGEST + 1))
    with pytest.raises(answer.Unusable, match="clear its outputs"):
        answer.read(path, "relay")
