"""The parts of README.md that the build writes: the badge, the links, the figures and the map."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from unblocked.authoring.notebooks import DEEPER, name_of
from unblocked.authoring.readme._between import between
from unblocked.authoring.readme._figures import figures
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Course, Lesson, Room

_BADGE = "https://mybinder.org/badge_logo.svg"


def readme(course: Course, root: Path) -> str:
    """README.md as it should be: the text between each pair of markers made anew.

    Raises:
        CourseError: a marker is missing, or the repository's address is, or the figures are.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    address = repository_address(root)
    text = between(text, "binder", _badge(course, address), "README.md")
    if "<!-- built: figures -->" in text:  # a course may have measured nothing
        text = between(text, "figures", figures(root), "README.md")
    return between(text, "map", _map(course, address), "README.md")


def repository_address(root: Path) -> str:
    """Return the repository's public address, which stands in pyproject.toml and nowhere else."""
    with (root / "pyproject.toml").open("rb") as file:
        urls = tomllib.load(file).get("project", {}).get("urls", {})
    if "Repository" not in urls:
        raise CourseError("pyproject.toml needs `Repository` under [project.urls].")
    return str(urls["Repository"]).rstrip("/")


def binder_link(address: str, path: str) -> str:
    """Return the link that opens `path` of the repository in JupyterLab on Binder.

    Not `labpath=`, which would open it without the file browser. Binder's own path is
    `/v2/gh/OWNER/NAME/REF` for GitHub and `/v2/git/ENCODED-ADDRESS/REF` for the rest.
    """
    parts = urlsplit(address)
    if parts.netloc == "github.com":
        where = f"gh/{parts.path.strip('/').removesuffix('.git')}"
    else:
        where = f"git/{quote(address, safe='')}"
    return f"https://mybinder.org/v2/{where}/HEAD?urlpath={quote(f'lab/tree/{path}', safe='')}"


def _badge(course: Course, address: str) -> str:
    if not course.lessons:
        raise CourseError("course/lessons/ is empty: the badge has nothing to open.")
    link = binder_link(address, f"notebooks/{course.lessons[0].name}.ipynb")
    return f"[![Open in Binder]({_BADGE})]({link})"


def _map(course: Course, address: str) -> str:
    head = ["| lesson | read and run | exercise | points | solve | online |"]
    head.append("|---|--:|---|--:|--:|---|")
    rows = [row for lesson in course.lessons for row in _rows(course, lesson, address)]
    return "\n".join([*head, *rows, _sum(course), *_deeper(course)])


def _deeper(course: Course) -> Iterator[str]:
    """Yield the list of optional pages, which no exercise needs, and which are not in the sum."""
    if course.deeper:
        yield "\nDeeper, for those who want to know more (optional, not in the sum):\n"
    for page in course.deeper:
        yield f"- [{page.title}](notebooks/{DEEPER}/{page.name}.ipynb), {page.minutes} min"


def _rows(course: Course, lesson: Lesson, address: str) -> Iterator[str]:
    """Yield a row for the lesson and its first exercise, and one for each further exercise."""
    path = f"notebooks/{lesson.name}.ipynb"
    begins = f"[{name_of(lesson)}]({path}) | {lesson.minutes} min"
    online = f"[Binder]({binder_link(address, path)})"
    for room in course.rooms_of(lesson) or (None,):
        yield f"| {begins} | {_exercise(room)} | {online} |".replace("  ", " ")
        begins, online = " |", ""


def _exercise(room: Room | None) -> str:
    if room is None:
        return "| |"
    return f"[{room.title}](exercises/{room.slug}.ipynb) | {room.points} | {room.minutes} min"


def _sum(course: Course) -> str:
    reading = sum(lesson.minutes for lesson in course.lessons)
    doing = sum(room.minutes for room in course.rooms)
    points = sum(room.points for room in course.rooms)
    return f"| **together** | **{reading} min** | | **{points}** | **{doing} min** | |"
