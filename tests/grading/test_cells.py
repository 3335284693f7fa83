"""Cells of an answer put together, and what is for IPython left out, in the answer's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked.grading.sandbox.child.cells import as_python, note_of, put_together

if TYPE_CHECKING:
    from collections.abc import Callable

    Marked = Callable[..., list[dict[str, Any]]]


def test_of_copied_cells_the_last_counts() -> None:
    got = put_together(["app = 1", "app = 2"], "app")
    assert got.source == "app = 2"
    assert "last one counts" in got.note


def test_a_split_cell_is_put_together() -> None:
    got = put_together(["app = make()", "app.x = 1"], "app")
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
def test_a_cell_split_after_its_imports_is_put_together(tail: str) -> None:
    got = put_together([HEAD, tail], "app")
    assert got.source == f"{HEAD}\n{tail}"
    assert "split" in got.note


COPIES = {
    "the same": HEAD + TAILS["at the top"],
    "with less than before": "from web import App\napp = App()",
    "with names of the exercise": "import httpx\napp = lambda: httpx.get(URL)",
    "with names of its own": "app = 1\ndef root(get):\n    living = get\n    return living",
    "with a name bound by a function": "app = 1\ndef f():\n    global get\n    get = 1\nget",
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_that_stands_by_itself_counts_alone(copy: str) -> None:
    before = HEAD + "app = App()\nraise SystemExit"
    assert put_together([before, copy], "app").source == copy


def test_cells_that_do_not_parse_are_no_parts() -> None:
    got = put_together(["app = (", "app = App()"], "app")
    assert got.source == "app = App()"


@pytest.mark.parametrize(
    ("source", "left_out"),
    [
        ("!pip install -q httpx\napp = 1", ["!pip install -q httpx"]),
        ("%load_ext autoreload\n%autoreload 2\napp = 1", ["%load_ext autoreload", "%autoreload 2"]),
        ("%%time\napp = 1", ["%%time"]),
        ("# exercise: relay\n%%capture out\napp = 1", ["%%capture out"]),
        ("files = !ls\napp = len(files) + 1", ["!ls"]),
        ("app = 1\nprint?", ["%pinfo print"]),
    ],
)
def test_what_ipython_accepts_is_accepted_and_left_out(source: str, left_out: list[str]) -> None:
    found: list[str] = []
    code, names = as_python(source, found.append)
    exec(code, names)
    assert names["app"] == 1
    assert found == left_out


def test_plain_code_stays_as_it_is() -> None:
    source = "app = 7 % 2\nquestion = 'why?'\nnot_equal = 1 != 2\n"
    assert as_python(source, print) == (source, {})


def test_lines_keep_their_numbers() -> None:
    code, _ = as_python("%%time\n!ls\nx = 1\nraise ValueError", print)
    assert code.splitlines()[3] == "raise ValueError"


def test_what_was_left_out_is_named_in_a_sentence() -> None:
    assert note_of([]) == ""
    assert note_of(["!ls"]) == "Left out, as it is for the shell or for IPython: `!ls`."


def test_an_answer_with_magics_is_marked_and_says_so(marked: Marked) -> None:
    [result] = marked(f"%%time\n!pip install httpx\n{RIGHT}")
    assert result["points"] == 6
    assert result["note"].startswith("Left out")
    assert "`!pip install httpx`" in result["note"]


def test_cells_that_take_for_ever_to_parse_hurt_only_their_answer(marked: Marked) -> None:
    endless = "f'" + "{" * 149 + "1" + "}" * 149 + "'"
    long = "app = 1\nx = (" + "+".join([endless] * 2000) + ")"
    right, wrong = marked(RIGHT, [long, long])
    assert right["points"] == 6
    assert wrong["points"] < 6
