"""The static pages: executed, linked, searched, and whole without a network."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from small_course import write_course

from unblocked.authoring.notebooks import Term
from unblocked.authoring.site import _files, _site, site
from unblocked.authoring.site._terms import with_terms
from unblocked.course import CourseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page, Route

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small course as pages, made once: its lessons are executed for it."""
    root = write_course(tmp_path_factory.mktemp("course"))
    out = root / "my site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unblocked.course._PACKAGE", root / "src" / "unblocked")
        patch.setattr(_files, "copy_mermaid", lambda _: False)
        assert site(out) == 0
    return out


def read(pages: Path, name: str) -> str:
    return (pages / name).read_text("utf-8")


def test_lessons_are_executed_and_exercises_are_not(small_site: Path) -> None:
    assert "as it should" in read(small_site, "notebooks/01-counting.html")
    assert "output_area" in read(small_site, "notebooks/01-counting.html")
    assert "output_area" not in read(small_site, "exercises/add-up.html")
    assert "solved" not in read(small_site, "exercises/add-up.html")


def test_every_link_and_file_is_within_the_site(small_site: Path) -> None:
    for page in small_site.rglob("*.html"):
        text = page.read_text("utf-8")
        for target in re.findall(r'(?:href|src)="([^"#]+)', text):
            if not target.startswith("https://"):
                assert (page.parent / target).is_file(), (page.name, target)


def test_deeper_pages_are_executed_and_the_glossary_is_read(small_site: Path) -> None:
    assert ">42" in read(small_site, "notebooks/deeper/what-it-costs.html")
    assert "What runs one task" in read(small_site, "notebooks/glossary.html")
    navigation = read(small_site, "index.html").partition("<main")[0]
    assert 'href="notebooks/deeper/what-it-costs.html">What it costs</a>' in navigation
    assert 'href="notebooks/glossary.html">Glossary</a>' in navigation


def test_terms_are_linked_at_their_first_use_on_a_page(small_site: Path) -> None:
    link = '<a class="term" href="../notebooks/glossary.html#event-loop" title="What runs one task'
    assert read(small_site, "notebooks/01-counting.html").count(link) == 1
    deeper = read(small_site, "notebooks/deeper/what-it-costs.html")
    assert deeper.count('class="term" href="../../notebooks/glossary.html#event-loop"') == 1
    assert 'class="term"' not in read(small_site, "notebooks/glossary.html")
    assert 'id="event-loop"' in read(small_site, "notebooks/glossary.html")


TERMS = (
    Term("event loop", 'Runs "tasks"; see [here](x.ipynb), `await`.', "01", also=("loop",)),
    Term("pool", "Many.", "01"),
    Term("connection pool", "Connections.", "01"),
    Term("p99", "Slow.", "01"),
)


@pytest.mark.parametrize(
    ("body", "linked"),
    [
        ("<p>An Event loop, a loop.</p>", ["Event loop"]),
        ("<p>A connection pool, two pools.</p>", ["connection pool", "pools"]),
        ("<p>The p99 of <b>loops</b> &amp; more</p>", ["p99", "loops"]),
        ("<p>whirlpool, pool-like, loop.close, looped</p>", ["loop"]),
        ("<h2>pool</h2><pre>pool</pre><code>pool</code><a href='x'>pool</a><p>pool</p>", ["pool"]),
        ("<div class='output_wrapper'><div><p>pool<br>pool</p></div></div><p>Pools", ["Pools"]),
        ("<script>pool < 1</script><style>pool{}</style><!-- pool --><p>none</p>", []),
        ("<section class='quiz'><p>pool</p></section>", []),
        ("<pre><span class='k'>pool</span></pre>", []),
    ],
)
def test_terms_are_found_in_prose_alone(body: str, linked: list[str]) -> None:
    made = with_terms(body, TERMS, "glossary.html")
    assert re.findall(r'<a class="term"[^>]*>([^<]*)</a>', made) == linked
    assert re.sub(r'<a class="term"[^>]*>([^<]*)</a>', r"\1", made) == body


def test_a_meaning_on_hover_is_plain_text() -> None:
    made = with_terms("<p>loop</p>", TERMS, "glossary.html")
    assert 'title="Runs &quot;tasks&quot;; see here, await."' in made


def test_nothing_is_fetched_from_outside(small_site: Path) -> None:
    for page in small_site.rglob("*.html"):
        assert re.findall(r'(?:src|<link[^>]*href)="https?:', page.read_text("utf-8")) == []


def test_every_page_opens_itself_in_binder(small_site: Path) -> None:
    link = "some/where/HEAD?urlpath=lab%2Ftree%2Fnotebooks%2F01-counting.ipynb"
    assert link in read(small_site, "notebooks/01-counting.html")


@pytest.fixture
def no_mermaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "copy_mermaid", lambda _: False)


@pytest.mark.usefixtures("no_mermaid")
def test_a_quiz_unfolds_and_is_not_found_by_a_search(at_home: Path, tmp_path: Path) -> None:
    asked = 'quiz({"ask": "Who *waits*?", "options": {"a": "Sure.", "b": "Nö."}, "right": "a"})'
    lesson = at_home / "course/lessons/00-start.md"
    code = f"```{{code-cell}}\nquiz = print\n{asked}\n```\n"
    lesson.write_text(f"{lesson.read_text('utf-8')}\n## Quiz\n\n{code}", "utf-8")
    site(tmp_path / "out")
    page = read(tmp_path / "out", "notebooks/00-start.html")
    assert "<summary>a</summary><p>✓ Right. Sure.</p>" in page
    assert "<summary>b</summary><p>✗ Not quite. Nö.</p>" in page
    assert "Who &#42;waits&#42;?" in page or "Who *waits*?" in page
    assert "Sure" not in read(tmp_path / "out", "index-of-words.js")


def test_other_folders_are_not_written_into(at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(CourseError, match="empty folder"):
        site(tmp_path / "mine")


def test_a_site_may_be_written_again(small_site: Path) -> None:
    _site._make_room(small_site)


def test_a_lesson_that_fails_is_named(at_home: Path, tmp_path: Path) -> None:
    lesson = at_home / "course/lessons/00-start.md"
    lesson.write_text(lesson.read_text("utf-8").replace("raise ValueError", "raise KeyError"))
    text = lesson.read_text("utf-8").replace(":tags: [raises-exception]\n", "")
    lesson.write_text(text, "utf-8")
    with pytest.raises(CourseError, match="00-start fails: KeyError"):
        site(tmp_path / "out")


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        yield browser.new_page()
        browser.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_it_is_read_and_searched_from_a_disk(small_site: Path, page: Page) -> None:
    outside: list[str] = []

    def watch(route: Route) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    page.route("**/*", watch)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((small_site / "index.html").as_uri())
    page.get_by_role("navigation").get_by_role("link", name="01 · Counting").click()
    page.get_by_role("heading", name="01 · Counting").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("five numbers")
    page.locator("#found a").first.click()
    page.get_by_role("heading", name="Exercise: Add up").wait_for()
    assert page.url.split("#")[0].endswith("/exercises/add-up.html")
    page.get_by_label("Search").fill("no such words here")
    page.get_by_text("Nothing has all of these words.").wait_for()
    assert (outside, faults) == ([], [])
