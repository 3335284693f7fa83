"""JupyterLab in Chromium; all but loopback is refused and counted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_lab import PATIENCE_MS, REPOSITORY, Lab, Notebook, document, running_lab
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOOPBACK = ("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "ws://localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip("no Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a copy of the course's notebooks."""
    root = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "exercises"):
        shutil.copytree(REPOSITORY / name, root / name)
    with running_lab(root, tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Ends with each module: while it is there, no other test could run an event loop."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def refused() -> list[str]:
    """Addresses outside loopback that the browser asked for."""
    return []


@pytest.fixture(scope="module")
def context(browser: Browser, refused: list[str]) -> Iterator[BrowserContext]:
    """A module's tests share a cache, so that JupyterLab's scripts are read and compiled once.

    A route would switch that cache off; so the browser finds no other host, and says whom it asked.
    """
    context = browser.new_context(viewport={"width": 1360, "height": 1000})

    def note(request: Request) -> None:
        if request.url.startswith(("http:", "https:")) and not request.url.startswith(LOOPBACK):
            refused.append(request.url)

    context.on("request", note)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, refused: list[str]) -> Iterator[Page]:
    context.set_default_timeout(PATIENCE_MS)
    refused.clear()
    yield context.new_page()
    for opened in context.pages:
        opened.close()
    assert refused == [], "the page asked for something outside this machine"


@pytest.fixture
def open_notebook(page: Page, lab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook made of the given cells, or one of the course by its path."""
    opened: list[Notebook] = []

    def open_it(*cells: str, path: str = "") -> Notebook:
        if not path:
            path = f"try-{os.urandom(4).hex()}.ipynb"
            (lab.root / path).write_text(json.dumps(document(cells)))
        notebook = Notebook(page, lab, path)
        notebook.open()
        opened.append(notebook)
        return notebook

    yield open_it
    for notebook in opened:
        notebook.close()
