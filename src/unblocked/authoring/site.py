"""`unblocked site OUT`: the course as static pages, executed, to read without installing anything.

nbconvert, which comes with JupyterLab, makes the bodies; the page around them is ours. MyST and
Jupyter Book 2 do not build without a network of their own: their theme is in no package registry
but is asked for at api.mystmd.org each time. These pages refer to nothing outside their folder,
show their text without JavaScript, and work from a disk as well as from any static host.
"""

from __future__ import annotations

import asyncio
import html
import json
import posixpath
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from unblocked.authoring import _cells, _pages, _quizzes
from unblocked.authoring._exercises import exercise_notebook
from unblocked.authoring._lessons import lesson_notebook
from unblocked.authoring._readme import binder_link, readme, repository_address
from unblocked.authoring.build import checkout
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.authoring._cells import Notebook
    from unblocked.authoring._pages import Course
    from unblocked.course import Lesson, Room

MERMAID = "mermaid@11.16.1"
_SECONDS_PER_CELL = 120
_HEADING = re.compile(r'<h[1-6] id="([^"]+)">(.*?)<a class="anchor-link".*?</h[1-6]>', re.DOTALL)
_REFERENCE = re.compile(r'(<a\b[^>]*?\bhref|<img\b[^>]*?\bsrc)="([^"]*)"')
_IMAGE_OUTSIDE = re.compile(r'<img\b(?=[^>]*\bsrc="https?:)(?:[^>]*\balt="([^"]*)")?[^>]*>')
_TAG = re.compile(r"<[^>]+>")
_COLOUR = re.compile(r"</?span[^>]*>")
_PROMPT = re.compile(r'<div class="prompt[^>]*>.*?</div>', re.DOTALL)
_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, slots=True)
class SitePage:
    """One page: where it lies (without suffix) under the site and in the repository alike."""

    place: str
    title: str
    body: str

    @property
    def url(self) -> str:
        return f"{self.place}.html"

    @property
    def up(self) -> str:
        return "../" * self.place.count("/")


def site(out: Path) -> int:
    """Execute the lessons and write the site to `out`. Returns the command's exit code.

    Raises:
        CourseError: `out` holds something that is no site of ours, or a lesson fails.
    """
    root = checkout()
    _make_room(out)
    course = _pages.read_course(root / "course")
    pages = list(_all_pages(course, root))
    _copy_files(out)
    diagrams = _copy_mermaid(out)
    address = repository_address(root)
    for page in pages:
        text = _whole(page, course, address, root, out, diagrams)
        path = out / page.url
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _write_index(pages, out)
    print(f"{out / 'index.html'}: {len(pages)} pages")
    return 0


def _make_room(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / "index-of-words.js").is_file():
        raise CourseError(f"{out} holds other files; name a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)


def _all_pages(course: Course, root: Path) -> Iterator[SitePage]:
    start = _cells.notebook([_cells.markdown(readme(course, root), "readme")], "README.md")
    yield SitePage("index", "Unblocked", _body(start))
    for lesson in course.lessons:
        print(f"running {lesson.name}", flush=True)
        notebook = lesson_notebook(course, lesson, for_jupyterlab=False)
        made = _executed(notebook, root / "notebooks", lesson.name)
        yield SitePage(f"notebooks/{lesson.name}", _pages.name_of(lesson), _body(made))
    for room in course.rooms:
        made = exercise_notebook(course, room)
        yield SitePage(f"exercises/{room.slug}", f"Exercise: {room.title}", _body(made))


def _executed(notebook: Notebook, folder: Path, name: str) -> Notebook:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    folder.mkdir(exist_ok=True)
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=_SECONDS_PER_CELL, resources=where)
    try:
        asyncio.run(client.async_execute())
    except CellExecutionError as error:
        raise CourseError(f"{name} fails: {error.ename}: {error.evalue}") from error
    return _with_open_quizzes(_without_widgets(notebook))


def _with_open_quizzes(notebook: Notebook) -> Notebook:
    """Nobody can run a quiz here, and its source gives the answers away."""
    for place, cell in enumerate(notebook.cells):
        if asked := _quizzes.questions(cell):
            notebook.cells[place] = _cells.markdown(_quizzes.as_html(asked), cell["id"])
        elif cell.cell_type == "markdown":
            cell.source = _quizzes.INVITATION.sub("Choose before you look.", cell.source)
    return notebook


def _without_widgets(notebook: Notebook) -> Notebook:
    """A widget needs a kernel; what stands beside it for readers without one stays."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_WIDGET, None)
    return notebook


def _exporter() -> HTMLExporter:
    return HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]


def _body(notebook: Notebook) -> str:
    body, _ = _exporter().from_notebook_node(notebook)
    return str(_IMAGE_OUTSIDE.sub(lambda found: found[1] or "", body))


def _whole(
    page: SitePage, course: Course, address: str, root: Path, out: Path, diagrams: bool
) -> str:
    template = Template((files(__package__) / "site_files" / "page.html").read_text("utf-8"))
    start = f"notebooks/{course.lessons[0].name}"
    opened = start if page.place == "index" else page.place
    return template.substitute(
        title=html.escape(page.title),
        up=page.up,
        binder=html.escape(binder_link(address, f"{opened}.ipynb")),
        pages=_navigation(course, page),
        body=_led_within(page, address, root, out),
        diagrams=_DIAGRAMS.format(up=page.up) if diagrams and "mermaid" in page.body else "",
    )


_DIAGRAMS = """\
<script src="{up}mermaid.min.js"></script>
<script>mermaid.initialize({{ startOnLoad: true, securityLevel: "strict" }});</script>"""


def _navigation(course: Course, page: SitePage) -> str:
    items = [_lesson_item(course, lesson, page) for lesson in course.lessons]
    return f"<ul>\n{''.join(items)}</ul>"


def _lesson_item(course: Course, lesson: Lesson, page: SitePage) -> str:
    inner = "".join(_room_item(room, page) for room in course.rooms_of(lesson))
    link = _link(f"notebooks/{lesson.name}", _pages.name_of(lesson), page)
    return f"<li>{link}{f'<ul>{inner}</ul>' if inner else ''}</li>\n"


def _room_item(room: Room, page: SitePage) -> str:
    return f"<li>{_link(f'exercises/{room.slug}', room.title, page)}</li>"


def _link(place: str, text: str, page: SitePage) -> str:
    here = ' aria-current="page"' if place == page.place else ""
    return f'<a href="{page.up}{place}.html"{here}>{html.escape(text)}</a>'


def _led_within(page: SitePage, address: str, root: Path, out: Path) -> str:
    """The body, its links led to pages of the site, to copied pictures, or to the repository."""

    def led(found: re.Match[str]) -> str:
        target = html.unescape(found[2])
        return f'{found[1]}="{html.escape(_target(page, target, address, root, out))}"'

    return _REFERENCE.sub(led, page.body)


def _target(page: SitePage, target: str, address: str, root: Path, out: Path) -> str:
    parts = urlsplit(target)
    if parts.scheme or not parts.path:
        return target
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page.place), parts.path))
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    if path.startswith(("notebooks/", "exercises/")) and path.endswith(".ipynb"):
        return f"{page.up}{path.removesuffix('.ipynb')}.html{anchor}"
    if path.endswith((".png", ".svg", ".jpg")):
        _copy_picture(root / path, out / path)
        return f"{page.up}{path}"
    return f"{address}/blob/HEAD/{path}{anchor}"


def _copy_picture(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _copy_files(out: Path) -> None:
    source = files(__package__) / "site_files"
    (out / "search.js").write_text((source / "search.js").read_text("utf-8"), "utf-8")
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    style = (source / "style.css").read_text("utf-8")
    colours = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (out / "style.css").write_text(f"{colours}{style}", "utf-8")


def _copy_mermaid(out: Path) -> bool:
    """Put Mermaid beside the pages, out of its npm package. Without it diagrams stay text."""
    target = out / "mermaid.min.js"
    if target.is_file():
        return True
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not here: diagrams stay text")
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, MERMAID]
        done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            print("npm could not fetch Mermaid: diagrams stay text")
            return False
        target.write_bytes(_member(packed[0], "package/dist/mermaid.min.js"))
    return True


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as packed:
        file = packed.extractfile(name)
        if file is None:
            raise CourseError(f"{archive.name} has no {name}; name another version of Mermaid.")
        return file.read()


def _write_index(pages: list[SitePage], out: Path) -> None:
    """A script, not JSON: a page opened from a disk may not fetch a file."""
    sections = [section for page in pages for section in _sections(page)]
    text = json.dumps(sections, ensure_ascii=False, separators=(",", ":"))
    (out / "index-of-words.js").write_text(f"window.sections = {text};\n", "utf-8")


def _sections(page: SitePage) -> Iterator[dict[str, Any]]:
    starts = list(_HEADING.finditer(page.body))
    ends = [found.start() for found in starts[1:]] + [len(page.body)]
    for found, end in zip(starts, ends, strict=True):
        text = _plain(_quizzes.MARKED.sub("", page.body[found.end() : end]))
        url = f"{page.url}#{html.unescape(found[1])}"
        yield {"page": page.title, "heading": _plain(found[2]), "url": url, "text": text}


def _plain(marked: str) -> str:
    marked = _COLOUR.sub("", _PROMPT.sub(" ", marked))
    return " ".join(html.unescape(_TAG.sub(" ", marked)).split())
