"""Which code is the answer, in all the shapes that notebooks come in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from unblocked import course
from unblocked.grading import answer, attempt

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "# exercise: relay\n"


def cell(source: str, grade_id: str = "") -> dict[str, Any]:
    metadata = {"nbgrader": {"grade_id": grade_id, "solution": True}} if grade_id else {}
    return {"cell_type": "code", "source": source, "metadata": metadata}


def found(tmp_path: Path, *cells: dict[str, Any]) -> answer.AnswerCode:
    path = tmp_path / "relay.ipynb"
    path.write_text(json.dumps({"cells": list(cells)}))
    return answer.read(path, "relay")


def test_the_cell_with_the_id(tmp_path: Path) -> None:
    assert found(tmp_path, cell("x = 1"), cell("app = 1", "relay")).cells == ("app = 1",)


def test_the_marker_line_when_the_id_is_lost(tmp_path: Path) -> None:
    assert found(tmp_path, cell(MARKER + "app = 2")).cells == (MARKER + "app = 2",)


def test_all_cells_that_are_marked_are_found(tmp_path: Path) -> None:
    got = found(tmp_path, cell("app = 1", "relay"), cell("x"), cell("app = 2", "relay"))
    assert got.cells == ("app = 1", "app = 2")


@pytest.mark.parametrize(
    "source",
    [
        "# Exercise: Relay\napp = 1",
        "%%time\n# exercise: relay\napp = 1",
        "!pip install httpx\n\n# exercise: relay\napp = 1",
        "%load_ext autoreload\n%autoreload 2\n# exercise: relay\napp = 1",
        "\n\n#exercise:relay\napp = 1",
    ],
)
def test_the_marker_in_capitals_and_below_magics(tmp_path: Path, source: str) -> None:
    assert found(tmp_path, cell(source)).cells == (source,)


@pytest.mark.parametrize("border", ["# In[ ]:", "# In[12]:", "# %%", "# %% the answer"])
def test_a_script_made_of_a_notebook(tmp_path: Path, border: str) -> None:
    head = "# exercise: relay\n# # Relay\n# Do it.\n"
    pieces = [head, "\nupstream = 1\n", "\n# exercise: relay\napp = 1\n", "\ncheck()\n"]
    path = tmp_path / "relay.py"
    path.write_text(border.join(pieces))
    assert answer.read(path, "relay").cells == (pieces[2],)


def test_a_plain_script_is_the_answer_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "relay.py"
    path.write_text("import httpx\n# exercise: relay\napp = 1\n")
    assert answer.read(path, "relay").cells == (path.read_text(),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_editors_write(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "relay.py"
    path.write_text("app = 'größe'", encoding=encoding)
    assert answer.read(path, "relay").cells == ("app = 'größe'",)


def test_another_encoding_is_told_how_to_save(tmp_path: Path) -> None:
    path = tmp_path / "relay.py"
    path.write_bytes("app = 'größe'".encode("cp1252"))
    with pytest.raises(answer.Unusable, match="save it once more with the encoding UTF-8"):
        answer.read(path, "relay")


def test_source_as_a_list_of_lines(tmp_path: Path) -> None:
    lines: Any = ["app = 1\n", "x = 2"]
    assert found(tmp_path, cell(lines, "relay")).cells == ("app = 1\nx = 2",)


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
    assert found(tmp_path, *odd, cell("app = 1", "relay")).cells == ("app = 1",)


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


def test_a_starter_is_untouched_whatever_its_layout_and_comments() -> None:
    room = course.room("one-client")
    starter = room.starter.read_text("utf-8")
    assert attempt.is_untouched([starter], room)
    assert attempt.is_untouched(
        ["# exercise: one-client\n\n" + starter.replace("\n", "\n\n")], room
    )
    assert not attempt.is_untouched([room.solution.read_text("utf-8")], room)
    assert not attempt.is_untouched([starter + "\nx = 1\n"], room)


def test_answers_are_alike_but_for_names_and_layout() -> None:
    first = attempt.fingerprint(["def f(a):\n    '''Add.'''\n    b = a + 1\n    return b"])
    assert first == attempt.fingerprint(["def g(x):\n    y = x + 1  # one more\n\n    return y"])
    assert first != attempt.fingerprint(["def f(a):\n    b = a + 2\n    return b"])
    assert attempt.fingerprint(["def f(:"]) == ""
