"""What every notebook must hold: links that lead somewhere, and code that needs no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.authoring.gates._text import syntax_problem
from unblocked.authoring.notebooks import DEEPER, GLOSSARY, read_terms, without_fences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring.notebooks import Cell
    from unblocked.course import Course

_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_IMAGE = re.compile(r"<img[^>]*>")
_OUTSIDE = re.compile(
    r"https?://(?!127\.|localhost\b|\[::1\]|0\.0\.0\.0|[\w.-]+\.invalid\b)[\w.-]+\."
)


def link_problems(cells: list[Cell], folder: Path, course: Course) -> Iterator[str]:
    """Yield each link that leads nowhere, and each image without alternative text."""
    built = _built_paths(course)
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        text = without_fences(cell.source)
        for image, target in _LINK.findall(text):
            yield from _target_problems(bool(image), target, folder, built)
        for tag in _IMAGE.findall(text):
            if "alt=" not in tag:
                yield f"an image without alt text: {tag}"


def _built_paths(course: Course) -> set[Path]:
    """Return what a build makes, so that a link to a page that is not built yet is a good one."""
    names = [f"notebooks/{lesson.name}.ipynb" for lesson in course.lessons]
    names += [f"notebooks/{DEEPER}/{page.name}.ipynb" for page in course.deeper]
    names += [f"notebooks/{GLOSSARY}.ipynb"] if read_terms(course) else []
    names += [f"{kind}/{r.slug}.ipynb" for r in course.rooms for kind in ("exercises", "solutions")]
    return {(course.root / name).resolve() for name in names}


def _target_problems(image: bool, target: str, folder: Path, built: set[Path]) -> Iterator[str]:
    if target.startswith(("http:", "https:")):
        if image:
            yield f"the image {target} needs a network"
        return
    if target.startswith(("#", "mailto:", "attachment:")):
        return
    path = (folder / target.split("#", 1)[0]).resolve()
    if path not in built and not path.exists():
        yield f"the link {target} leads nowhere"


def cell_problems(cells: list[Cell]) -> Iterator[str]:
    """Yield each code cell that needs a network or does not compile."""
    for cell in cells:
        if cell.cell_type != "code":
            continue
        outside = _OUTSIDE.search(cell.source)
        if outside:
            yield f"{cell.id} needs a network: {outside[0]}"
        problem = syntax_problem(cell.source)
        if problem and "raises-exception" not in cell.metadata.get("tags", []):
            yield f"{cell.id}: {problem}"
