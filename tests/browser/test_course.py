"""The lesson of the blow-up and the main exercise, as a learner goes through them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_lab import KERNEL_IS_IDLE
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser_lab import Notebook
    from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parents[2]
MARKER = "# exercise: fix-the-article"
LOOK_EVERY_MS = 250
LESSON_MS = 240_000
WHAT_WAITS = """() => ({
    kernel: window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status,
    cells: window.jupyterapp.shell.currentWidget.content.widgets
        .map((cell, place) => [place, cell.model.executionState, cell.promptNode?.textContent])
        .filter(([, state, prompt]) => state === 'running' || prompt?.includes('*')),
    controls: [...document.querySelectorAll('.ub-controls')].map((each) => each.innerText),
})"""


def index_of(notebook: Notebook, beginning: str) -> int:
    return next(i for i, text in enumerate(notebook.sources()) if beginning in text)


@pytest.mark.timeout(600)
def test_the_blow_up_is_watched_to_its_end(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    page.context.set_default_timeout(LESSON_MS)
    notebook = open_notebook(path="notebooks/02-the-thread-blow-up.ipynb")
    notebook.start_all()
    panel = page.locator(".lc-root").first
    panel.wait_for()
    page.wait_for_function("() => +(document.querySelector('.lc-root')?.dataset.updates ?? 0) > 3")
    keep_what_stays(notebook)
    assert notebook.errors() == [] or all(
        error["output_type"] != "error" for error in notebook.errors()
    )
    compared = index_of(notebook, "await compare(")
    picture = notebook.cell(compared).locator("img")
    assert "threads added" in (picture.get_attribute("alt") or "")
    assert page.locator(".lc-root").count() == 0


def keep_what_stays(notebook: Notebook) -> None:
    """Press Keep wherever a live view stays until it is pressed; then wait for the last cell.

    The cell that runs is scrolled to: JupyterLab takes those that are far away out of the page.
    """
    look = f"""() => {{
        const notebook = window.jupyterapp.shell.currentWidget.content;
        const runs = notebook.widgets.findIndex((cell) => cell.model.executionState === 'running');
        if (runs >= 0) notebook.scrollToItem(runs);
        [...document.querySelectorAll('.ub-controls button')]
            .filter((each) => each.textContent === 'Keep' && !each.hidden && !each.disabled)
            .forEach((each) => each.click());
        return ({KERNEL_IS_IDLE})();
    }}"""
    for _ in range(LESSON_MS // LOOK_EVERY_MS):
        if notebook.page.evaluate(look):
            return
        notebook.page.wait_for_timeout(LOOK_EVERY_MS)
    raise AssertionError(notebook.page.evaluate(WHAT_WAITS))


@pytest.mark.timeout(600)
def test_a_wrong_and_a_right_answer_are_marked(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    page.context.set_default_timeout(LESSON_MS)
    notebook = open_notebook(path="exercises/fix-the-article.ipynb")
    answer = index_of(notebook, MARKER)
    check = index_of(notebook, 'await check("fix-the-article")')
    notebook.run_cells(index_of(notebook, "URL = upstream.url"))

    notebook.write_cell(answer, f"{MARKER}\napp = None\n")
    notebook.run_cells(answer, check)
    view = notebook.cell(check).locator(".jp-OutputArea")
    expect(view).to_contain_text(re.compile(r"\b[0-9] of 20 points"))
    assert view.get_by_text("failed").count() > 0
    view.locator("summary", has_text="hint").first.click()
    view.locator("summary", has_text="next hint").first.wait_for()

    notebook.write_cell(answer, solution())
    notebook.run_cells(answer, check)
    expect(view).to_contain_text("20 of 20 points: everything passed.")
    assert [o for o in notebook.outputs()[check] if o.get("name") == "stderr"] == []
    assert notebook.outputs()[check][-1]["data"]["text/plain"] == "20"


def solution() -> str:
    notebook = json.loads((REPOSITORY / "solutions" / "fix-the-article.ipynb").read_text("utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    return next(source for source in sources if source.startswith(MARKER))
