"""A notebook that is run by a program: pictures and text are saved, no widget is."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    """
from unblocked import compare, predict, progress, quiz
from unblocked.show.learner import check_view

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

from unblocked import serve
""",
    'predict("How many threads?", key="n", unit="threads")',
    'quiz({"ask": "Who waits?", "options": {"a": "SECRET", "b": "no"}, "right": "a"})',
    'measured = await compare({"one": app, "two": app}, users=2, seconds=0.3)\nmeasured',
    "measured",
    'predict.score("n", measured["one"]["threads_added"])',
    """
view = check_view("go", "Let go", ["first"], ["a hint"])
view.update({"name": "first", "passed": True, "points": 1, "max_points": 1, "message": ""})
view.finish({"points": 1, "max_points": 1, "outcome": "graded", "checks": []})
""",
    "progress()",
    "import threading; print(sorted(t.name for t in threading.enumerate()))",
)


@pytest.fixture(scope="module")
def notebook() -> Any:
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook


def test_nothing_is_written_to_stderr_and_no_widget_is_saved(notebook: Any) -> None:
    for cell in notebook.cells:
        for output in cell.outputs:
            assert output.get("name") != "stderr", output
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert "widgets" not in notebook.metadata or not notebook.metadata["widgets"]


def test_questions_are_text_and_give_nothing_away(notebook: Any) -> None:
    assert notebook.cells[1].outputs[0]["text"] == "Your prediction: How many threads?\n"
    quiz = notebook.cells[2].outputs[0]["text"]
    assert "a) a" in quiz
    assert "SECRET" not in quiz


def test_a_comparison_is_shown_once_as_picture_table_and_text(notebook: Any) -> None:
    outputs = notebook.cells[3].outputs
    assert len(outputs) == 1
    data = outputs[0]["data"]
    assert data["image/png"].startswith("iVBOR")
    assert "<table>" in data["text/html"]
    assert re.search(r'<img alt="2 users.*one: \d+ threads added', data["text/html"])
    assert "answers a second" in data["text/plain"]
    assert len(notebook.cells[4].outputs) == 1


def test_a_mark_is_one_output_that_ends_decided(notebook: Any) -> None:
    (output,) = notebook.cells[6].outputs
    assert "everything passed" in output["data"]["text/plain"]
    assert "waiting" not in output["data"]["text/html"]


def test_no_thread_of_ours_is_left(notebook: Any) -> None:
    names = notebook.cells[8].outputs[0]["text"]
    assert not any(name in names for name in ("compare", "meter", "serve", "load"))
