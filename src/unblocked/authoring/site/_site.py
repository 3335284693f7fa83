"""`unblocked site OUT`: the pages, put together and written."""

from __future__ import annotations

import html
from dataclasses import replace
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from unblocked.authoring.notebooks import DEEPER, GLOSSARY, name_of, read_terms
from unblocked.authoring.readme import binder_link, repository_address
from unblocked.authoring.site import _files
from unblocked.authoring.site._links import relink
from unblocked.authoring.site._pages import all_pages
from unblocked.authoring.site._search import INDEX, write_index
from unblocked.authoring.site._terms import with_terms
from unblocked.course import CourseError, checkout, read_course

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unblocked.authoring.notebooks import Term
    from unblocked.authoring.site._pages import SitePage
    from unblocked.course import Course, Lesson


def site(out: Path) -> int:
    """Execute the lessons and write the site to `out`. Returns the command's exit code.

    Raises:
        CourseError: `out` holds something that is no site of ours, or a lesson fails.
    """
    root = checkout()
    _make_room(out)
    course = read_course(root / "course")
    pages = list(all_pages(course, root))
    terms = read_terms(course)
    _files.copy_files(out)
    # Mermaid is fetched when a site is built, so that readers need no network.
    diagrams = _files.copy_mermaid(out)
    address = repository_address(root)

    for page in pages:
        linked = _with_terms(page, terms)
        text = _whole(linked, course, address, root, out, diagrams)
        path = out / page.url
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    write_index(pages, out)
    print(f"{out / 'index.html'}: {len(pages)} pages")
    return 0


def _with_terms(page: SitePage, terms: Sequence[Term]) -> SitePage:
    """Return the page with links into the glossary, unless it is the glossary or the front page."""
    glossary = f"notebooks/{GLOSSARY}"
    if not terms or page.place in ("index", glossary):
        return page
    return replace(page, body=with_terms(page.body, terms, f"{page.up}{glossary}.ipynb"))


def _make_room(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / INDEX).is_file():
        raise CourseError(f"{out} holds other files; name a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)


def _whole(
    page: SitePage, course: Course, address: str, root: Path, out: Path, diagrams: bool
) -> str:
    template = Template((files(__package__) / "files" / "page.html").read_text("utf-8"))
    start = f"notebooks/{course.lessons[0].name}"
    opened = start if page.place == "index" else page.place
    return template.substitute(
        title=html.escape(page.title),
        up=page.up,
        binder=html.escape(binder_link(address, f"{opened}.ipynb")),
        pages=_navigation(course, page),
        body=relink(page, address, root, out),
        diagrams=_DIAGRAMS.format(up=page.up) if diagrams and "mermaid" in page.body else "",
    )


_DIAGRAMS = """\
<script src="{up}mermaid.min.js"></script>
<script>mermaid.initialize({{ startOnLoad: true, securityLevel: "strict" }});</script>"""


def _navigation(course: Course, page: SitePage) -> str:
    items = [_lesson_item(course, lesson, page) for lesson in course.lessons]
    if course.deeper:
        inner = "".join(
            _item(f"notebooks/{DEEPER}/{deeper.name}", deeper.title, page)
            for deeper in course.deeper
        )
        items.append(f"<li>Deeper<ul>{inner}</ul></li>\n")
    if read_terms(course):
        items.append(f"{_item(f'notebooks/{GLOSSARY}', 'Glossary', page)}\n")
    return f"<ul>\n{''.join(items)}</ul>"


def _lesson_item(course: Course, lesson: Lesson, page: SitePage) -> str:
    rooms = course.rooms_of(lesson)
    inner = "".join(_item(f"exercises/{room.slug}", room.title, page) for room in rooms)
    link = _link(f"notebooks/{lesson.name}", name_of(lesson), page)
    return f"<li>{link}{f'<ul>{inner}</ul>' if inner else ''}</li>\n"


def _item(place: str, text: str, page: SitePage) -> str:
    return f"<li>{_link(place, text, page)}</li>"


def _link(place: str, text: str, page: SitePage) -> str:
    here = ' aria-current="page"' if place == page.place else ""
    return f'<a href="{page.up}{place}.html"{here}>{html.escape(text)}</a>'
