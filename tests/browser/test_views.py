"""Predictions, the quiz, the map, a served app's pages, and JupyterLab itself."""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING

import pytest
from browser_lab import Notebook, document, running_lab
from fastapi import FastAPI
from playwright.sync_api import expect

from unblocked.grading.classroom import pages, reports
from unblocked.grading.classroom.summary import summary as summarise
from unblocked.rig import serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser_lab import Lab
    from playwright.sync_api import Page

MARKS = {"serve-it": {"points": 7, "max_points": 10}}

ASK = """
from unblocked import predict, progress, quiz
predict("How many threads?", key="threads", unit="threads")
"""
QUIZ = """
quiz({"ask": "Who waits?", "options": {"the loop": "It turns.", "a thread": "So it does."},
      "right": "a thread"})
"""
FULL_MARKS = """
from unblocked.show.learner import check_view
view = check_view("relay", "Relay", ["five at once"], told="Marked: your cell as run at [4].",
                  own="mine = 1", others=lambda: [("The reference solution", "shared = 2")])
done = {"name": "five at once", "passed": True, "points": 1, "max_points": 1, "message": ""}
view.finish({"points": 1, "max_points": 1, "outcome": "graded", "checks": [done]})
"""
SERVE = """
from fastapi import FastAPI
from unblocked import serve

app = FastAPI()

@app.get("/hello/{name}")
def hello(name: str):
    return {"hello": name}

server = serve(app)
print(server.port)
"""


def test_a_prediction_is_scored(open_notebook: Callable[..., Notebook], page: Page) -> None:
    notebook = open_notebook(ASK, "predict.score('threads', 250)")
    notebook.run_cells(0)
    notebook.cell(0).get_by_placeholder("a number").fill("50")
    notebook.cell(0).get_by_text("noted: 50", exact=True).wait_for()
    notebook.run_cells(1)
    said = notebook.outputs()[1][0]["text"]
    assert said == "You predicted 50; measured: 250. Too low by a factor of 5.0.\n"


def test_the_quiz_replies_to_each_choice(
    open_notebook: Callable[..., Notebook], page: Page, lab: Lab
) -> None:
    notebook = open_notebook("from unblocked import quiz", QUIZ)
    notebook.run_cells(0, 1)
    card = notebook.cell(1).locator(".jp-OutputArea")
    card.get_by_label("the loop").check()
    card.get_by_text("It turns.").wait_for()
    card.get_by_label("a thread").check()
    card.get_by_text("So it does.").wait_for()
    notebook.write_cell(1, "")
    notebook.save()
    assert "So it does" not in (lab.root / notebook.path).read_text()


def test_after_full_marks_a_solution_opens_beside_ones_own_by_keyboard(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(FULL_MARKS)
    notebook.run_cells(0)
    cell = notebook.cell(0)
    expect(cell).to_contain_text("run at [4]")
    theirs = cell.locator("pre", has_text="shared = 2")
    expect(theirs).to_be_hidden()
    cell.locator("summary", has_text="The reference solution").press("Enter")
    expect(theirs).to_be_visible()
    expect(cell.locator("details[open] pre", has_text="mine = 1")).to_be_visible()


def test_the_docs_of_a_served_app_work_direct_and_through_the_proxy(
    open_notebook: Callable[..., Notebook], page: Page, lab: Lab
) -> None:
    notebook = open_notebook(SERVE, "server", "server.stop()")
    notebook.run_cells(0, 1)
    port = notebook.outputs()[0][0]["text"].strip()
    assert f"http://127.0.0.1:{port}/docs" in notebook.outputs()[1][0]["data"]["text/html"]
    for address in (f"http://127.0.0.1:{port}/docs", f"{lab.url}proxy/{port}/docs"):
        try_it_out(page.context.new_page(), address)
    notebook.run_cells(2)


def try_it_out(docs: Page, address: str) -> None:
    docs.goto(address)
    docs.get_by_role("button", name=re.compile("GET.*hello")).first.click()
    docs.get_by_role("button", name="Try it out").click()
    docs.get_by_placeholder("name").fill("loop")
    docs.get_by_role("button", name="Execute").click()
    reply = docs.locator(".live-responses-table tr.response").first
    expect(reply).to_contain_text('"hello": "loop"')


def test_the_docs_work_behind_the_base_url_of_a_hub(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = FastAPI()

    @app.get("/hello/{name}")
    def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("hub")
    with serve(app) as server, running_lab(root, home, "/user/ada-binder-x1/") as hub:
        page.goto(hub.address("", fresh=False))  # The token becomes a cookie.
        try_it_out(page, f"{hub.url}proxy/{server.port}/docs")


def test_jupyterlab_opens_on_the_first_lesson_without_a_news_popup(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(path="notebooks/00-start-here.ipynb")
    assert page.locator(".jp-DirListing-item", has_text="exercises").count() == 1 or (
        page.locator(".jp-DirListing-item", has_text="00-start-here").count() == 1
    )
    notebook.run_all()
    assert notebook.errors() == []
    assert page.locator(".jp-toastContainer .Toastify__toast").count() == 0
    table = page.locator(".jp-OutputArea-output table", has_text="Your best mark")
    table.get_by_text("The thread blow-up").wait_for()


def test_on_binder_the_work_is_one_download(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Behind Binder's base URL: the file holds what there is when the button is pressed."""
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("binder")
    cells = ("from unblocked import progress\nprogress()",)
    (root / "map.ipynb").write_text(json.dumps(document(cells)))
    binder = {"BINDER_LAUNCH_HOST": "https://binder.example/"}
    with running_lab(root, home, "/user/ada-x1/", **binder) as hub:
        notebook = Notebook(page, hub, "map.ipynb")
        notebook.open()
        notebook.run_cells(0)
        expect(notebook.cell(0)).to_contain_text("vanishes")
        (home / "marks").mkdir()
        (home / "marks" / "marks.json").write_text(json.dumps(MARKS))
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download marks and answers").click()
        file = waiting.value
        assert file.suggested_filename == "my-unblocked-work.zip"
        with zipfile.ZipFile(file.path()) as archive:
            assert json.loads(archive.read("marks.json")) == MARKS
            assert "exercises/fix-the-article.ipynb" in archive.namelist()
        notebook.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_graders_pages_fit_the_screen_whatever_they_tell(
    page: Page, tmp_path: Path, width: int
) -> None:
    long = "x" * 300
    check = {"name": "two callers at once", "passed": False, "points": 0, "max_points": 3}
    result = {
        **{"learner": "ada", "exercise": "relay", "points": 0, "max_points": 3},
        **{"outcome": "graded", "file": f"ada/{long}.py", "checks": [{**check, "message": long}]},
        **{"isolation": "limits", "marked_at": "2026-01-01T00:00:00+00:00"},
    }
    made = pages.feedback(tmp_path, result, "Ada")
    summary = tmp_path / "summary.html"
    summarise(summary, reports.rows([result], None, ["relay"]), [(long, "why")], [long])
    page.set_viewport_size({"width": width, "height": 800})
    for path in (made, summary):
        page.set_content(path.read_text("utf-8"))
        assert page.evaluate("document.documentElement.scrollWidth") == width
