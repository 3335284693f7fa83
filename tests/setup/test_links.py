"""Every link of ours leads somewhere: the badge, the links that open Binder, and relative ones."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "notebooks/*.ipynb",
        "notebooks/deeper/*.ipynb",
        "exercises/*.ipynb",
        "solutions/*.ipynb",
    )
    for path in ROOT.glob(pattern)
)
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
MARKDOWN_LINK = re.compile(r"\]\(<?([^)>\s]+)>?\)|(?:href|src)=\"([^\"]+)\"")


def prose_of(document: Path) -> str:
    if document.suffix == ".md":
        return re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.S)
    cells = json.loads(document.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def links_of(document: Path) -> list[str]:
    return [first or second for first, second in MARKDOWN_LINK.findall(prose_of(document))]


def test_relative_links_lead_to_files() -> None:
    assert PAGES
    assert {str(page): dead for page in PAGES if (dead := dead_links(page))} == {}


def dead_links(document: Path) -> list[str]:
    local = [link for link in links_of(document) if not urlsplit(link).scheme and link[0] != "#"]
    targets = {link: document.parent / unquote(urlsplit(link).path) for link in local}
    return [link for link, target in targets.items() if not target.exists()]


def test_binder_links_open_files_that_exist() -> None:
    assert {str(page): wrong for page in PAGES if (wrong := wrong_binder_links(page))} == {}


def wrong_binder_links(document: Path) -> list[str]:
    return [link for link in links_of(document) if "/v2/gh/" in link and not opens_a_file(link)]


def opens_a_file(binder: str) -> bool:
    """Whether the link is to this repository and opens a file of it."""
    link = urlsplit(binder)
    _, _, opened = unquote(link.query).partition("urlpath=lab/tree/")
    ours = urlsplit(ADDRESS["Repository"]).path in link.path
    return ours and bool(opened) and (ROOT / opened).is_file()


def test_the_readme_has_a_badge() -> None:
    readme = ROOT / "README.md"
    assert any("/v2/gh/" in link for link in links_of(readme))
