"""What keeps people out: axe-core looks at the widgets, the site and the graders' pages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from unblocked.authoring.site import _pages, _site
from unblocked.grading.classroom import pages, reports
from unblocked.grading.classroom.summary import summary as summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from browser_lab import Notebook
    from playwright.sync_api import Browser, Page

SOURCE = Path(__file__).with_name("axe")
NPM = shutil.which("npm")
INSTALL_SECONDS = 180
ABOUT_COLOURS = ("color-contrast", "link-in-text-block")
WAYS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])

APPS = """
from unblocked import Upstream, compare, predict, progress, quiz
from unblocked.show.learner import check_view

upstream = Upstream(delay=0.05)

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""
LEARNER = """
predict("How many threads?", key="threads", unit="threads")
quiz({"ask": "Who waits?", "options": {"the loop": "It turns.", "a thread": "So it does."},
      "right": "a thread"})
progress()
view = check_view("relay", "Relay", ["five at once", "releases", "later"], ["Read.", "More."])
view.update({"name": "five at once", "passed": True, "points": 1, "max_points": 1, "message": ""})
"""
MARKED = """
hints = ["Read.\\n\\n```\\ncode\\n```\\n"]
view = check_view("relay", "Relay", ["five at once", "releases"], hints)
checks = [
    {"name": "five at once", "passed": True, "points": 1, "max_points": 1, "message": "Good."},
    {"name": "releases", "passed": False, "points": 0, "max_points": 1,
     "message": "Called: GET /\\nSaw: `5` open\\nExpected: none"},
]
view.finish({"points": 1, "max_points": 2, "outcome": "graded", "checks": checks})
"""
COMPARE = """
first = await compare({"one": app}, users=2, seconds=0.3, rounds=1)
second = await compare({"two": app, "three": app}, upstream=upstream, fan_out=2, users=2,
                       seconds=0.3, rounds=1, beside=first, interactive=True)
"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, installed from the lock file beside this test."""
    if NPM is None:
        pytest.skip("no Node: axe-core cannot be installed here")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SOURCE / name, folder / name)
    done = subprocess.run(
        [NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        env={**os.environ, "npm_config_update_notifier": "false"},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode and any(word in done.stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONN")):
        pytest.skip("npm reaches no registry: axe-core cannot be installed here")
    assert done.returncode == 0, done.stderr
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(
    page: Page, axe: str, *, within: str | None = None, rules: tuple[str, ...] = ()
) -> list[str]:
    """What axe-core finds, a line each: the rule, how bad it is, and where.

    It looks by all of its rules, or by those that are named.
    """
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "([within, rules]) => axe.run(within ? {include: [within]} : document,"
        " rules.length ? {runOnly: rules} : {})",
        [within, list(rules)],
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']}: {node['html'][:200]}: "
        f"{node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@WAYS
def test_widgets_keep_nobody_out(
    open_notebook: Callable[..., Notebook], page: Page, axe: str, dark: bool
) -> None:
    notebook = open_notebook(APPS, LEARNER, MARKED, COMPARE, "upstream.stop()")
    notebook.theme("JupyterLab Dark" if dark else "JupyterLab Light")
    notebook.run_cells(0, 1, 2)
    asked = notebook.cell(1).locator(".jp-OutputArea")
    for choice in ("the loop", "a thread"):
        asked.get_by_label(choice).check()
    asked.get_by_text("So it does.").wait_for()
    hint = notebook.cell(2).locator("summary", has_text="hint").first
    hint.click()
    found = look(page, axe, notebook, 1) + look(page, axe, notebook, 2)
    notebook.start_cell(3)
    page.locator(".ub-controls").wait_for()
    found += look(page, axe, notebook, 3)
    expect(page.get_by_role("button", name="Keep")).to_be_enabled()
    found += look(page, axe, notebook, 3)
    page.get_by_role("button", name="Keep").click()
    notebook.await_idle()
    notebook.cell(3).locator("table").nth(1).wait_for()
    found += look(page, axe, notebook, 3)
    notebook.run_cells(4)
    assert found == []


def look(page: Page, axe: str, notebook: Notebook, cell: int) -> list[str]:
    """What axe-core finds in the output of a cell."""
    area = notebook.cell(cell).locator(".jp-OutputArea")
    area.scroll_into_view_if_needed()
    area.evaluate("(area) => { area.dataset.looked = 'yes'; }")
    try:
        return violations(page, axe, within="[data-looked]")
    finally:
        area.evaluate("(area) => { delete area.dataset.looked; }")


@pytest.fixture
def reader(browser: Browser) -> Iterator[Page]:
    """A page of a browser that opens files, and asks no server for anything."""
    context = browser.new_context()
    context.route(lambda address: not address.startswith("file:"), lambda route: route.abort())
    yield context.new_page()
    context.close()


def test_what_keeps_people_out_is_found(page: Page, axe: str) -> None:
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src=a></main></html>")
    (line,) = violations(page, axe)
    assert line.startswith("image-alt (critical)")


@pytest.fixture(scope="module")
def pages_to_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, its lessons not executed: what cells print is looked at in JupyterLab."""
    out = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pages, "_execute", lambda notebook, folder, name: notebook)
        patch.setattr(_site._files, "copy_mermaid", lambda _: False)
        assert _site.site(out) == 0
    return out


def site_violations(reader: Page, axe: str, pages: Iterable[Path]) -> dict[str, list[str]]:
    """What axe-core finds on pages, light and dark; those without a fault are left out.

    In the dark nothing but colours changes, so only the rules about colours are asked again.
    """
    found = {}
    for path in pages:
        reader.emulate_media(color_scheme="light")
        reader.goto(path.as_uri())
        light = violations(reader, axe)
        reader.emulate_media(color_scheme="dark")
        found[path.name] = light + violations(reader, axe, rules=ABOUT_COLOURS)
    return {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_of_each_kind_keeps_nobody_out(
    reader: Page, axe: str, pages_to_read: Path, width: int
) -> None:
    """The first page, a lesson with a diagram, long lines and tables, and an exercise."""
    reader.set_viewport_size({"width": width, "height": 800})
    (lesson,) = pages_to_read.glob("notebooks/08-*.html")
    pages = (pages_to_read / "index.html", lesson, *pages_to_read.glob("exercises/fix-*.html"))
    assert site_violations(reader, axe, pages) == {}


@pytest.mark.whole
@pytest.mark.timeout(900)
def test_the_whole_site_keeps_nobody_out(reader: Page, axe: str, pages_to_read: Path) -> None:
    assert site_violations(reader, axe, sorted(pages_to_read.rglob("*.html"))) == {}


@pytest.mark.parametrize("width", [390, 1280])
def test_a_graders_pages_keep_nobody_out(
    reader: Page, axe: str, tmp_path: Path, width: int
) -> None:
    checks = [
        {"name": "at once", "passed": True, "points": 3, "max_points": 3, "message": "Well done."},
        {"name": "releases", "passed": False, "points": 0, "max_points": 2, "message": "x " * 400},
    ]
    result = {
        **{"learner": "ada", "exercise": "relay", "points": 3, "max_points": 5},
        **{"outcome": "graded", "file": "ada/relay.py", "checks": checks},
        **{"isolation": "limits", "marked_at": "2026-01-01T00:00:00+00:00"},
    }
    nothing = {**result, "learner": "bob", "outcome": "no-answer", "points": 0, "checks": []}
    made = pages.feedback(tmp_path, result, "Ada")
    summary = tmp_path / "summary.html"
    rows = reports.rows([result, nothing], None, ["relay"])
    summarise(summary, rows, [("eve/notes.txt", "no answer")], ["One remark."])
    reader.set_viewport_size({"width": width, "height": 800})
    assert site_violations(reader, axe, (made, summary)) == {}
