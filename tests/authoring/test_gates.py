"""The gates of the course, each tried on a good room or lesson and on a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_course import lesson_text

from unblocked.authoring import gates
from unblocked.authoring.gates import _text
from unblocked.course import read_course

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def room_problems(root: Path) -> list[str]:
    course = read_course(root / "course")
    return gates.room_problems(course, course.rooms[0])


def lesson_problems(root: Path) -> list[str]:
    course = read_course(root / "course")
    return gates.lesson_problems(course, course.lessons[1], root)


def swap(name: str, old: str, new: str) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")

    return edit


def drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def put(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, "utf-8")


def test_a_good_room_passes(root: Path) -> None:
    assert room_problems(root) == []


BAD_ROOMS = [
    (drop("solution.py"), "solution.py is missing"),
    (drop("checks.py"), "checks.py is missing"),
    (drop("right/r0.py"), "right/ has 1"),
    (drop("wrong/w0.py"), "wrong/ has 7"),
    (put("notes.txt", "stray"), "notes.txt does not belong"),
    (put("right/data.csv", "stray"), "right/data.csv does not belong"),
    (put("wrong/w0.py", "app = 1\n"), "wrong/w0.py must begin"),
    (put("wrong/w1.py", "# caught by:\napp = 1\n"), "wrong/w1.py must begin"),
    (put("starter.py", "app = 1\n"), "no comment that says where to begin"),
    (put("right/r0.py", "def f(:\n"), "right/r0.py: line 1"),
    (swap("exercise.md", "## Hints", "## Help"), "no `## Hints`"),
    (swap("exercise.md", "<summary>A gentle one</summary>", ""), "wants 3 hints"),
    (swap("exercise.md", "URL", "ADDRESS"), "given name URL"),
    (swap("exercise.md", "lesson: 01-counting", "lesson: 07-gone"), "not the name of a lesson"),
    (swap("exercise.md", "title: Add up\n", ""), "no `title:`"),
    (swap("exercise.md", "minutes: 15", "minutes: 0"), "more than 0"),
]


@pytest.mark.parametrize(("spoil", "problem"), BAD_ROOMS, ids=[p for _, p in BAD_ROOMS])
def test_a_bad_room_is_told_why(root: Path, spoil: Callable[[Path], object], problem: str) -> None:
    spoil(root / "course/exercises/add-up")
    found = room_problems(root)
    assert [text for text in found if problem in text], found


def test_a_starter_that_is_the_solution_is_told_so(root: Path) -> None:
    room = root / "course/exercises/add-up"
    (room / "starter.py").write_bytes((room / "solution.py").read_bytes())
    assert "starter.py is the solution" in room_problems(root)


def test_a_good_lesson_passes(root: Path) -> None:
    assert lesson_problems(root) == []


def test_links_between_pages_of_the_course_are_good_before_they_are_built(root: Path) -> None:
    links = "[a](00-start.ipynb#quiz) [b](../exercises/add-up.ipynb) [c](https://www.python.org)"
    write_lesson(root, lesson_text("Counting", extra=links))
    assert lesson_problems(root) == []


def write_lesson(root: Path, text: str) -> None:
    (root / "course/lessons/01-counting.md").write_text(text, "utf-8")


CELL = "```{code-cell}\nx = 1\n```\n\n"
GOOD = lesson_text("Counting")
BAD_LESSONS = [
    (lesson_text("Counting", words=400), "600 to 1200"),
    (lesson_text("Counting", words=1300), "600 to 1200"),
    (lesson_text("Counting", extra=CELL * 40), "at most 39"),
    (lesson_text("Counting", extra="[gone](09-gone.ipynb)"), "09-gone.ipynb leads nowhere"),
    (lesson_text("Counting", extra="![a](https://example.org/a.png)"), "needs a network"),
    (lesson_text("Counting", extra='<img src="a.png">'), "without alt text"),
    (lesson_text("Counting", extra=CELL.replace("1", "'https://example.org'")), "needs a network"),
    (lesson_text("Counting", extra=CELL.replace("= 1", "= =")), "invalid syntax"),
    (GOOD.replace("  - say what an upstream is\n", ""), "objectives are missing"),
    (GOOD.replace("minutes: 20", "minutes: 200"), "between 1 and 90"),
    (GOOD.replace("title: Counting\n", ""), "title is missing"),
    (GOOD.replace("predict(", "print("), "nothing to predict"),
    (GOOD.replace("quiz(\n", "print(\n"), "one quiz of 3"),
    (GOOD.replace('    {"ask": "Two?"', '    # {"ask": "Two?"'), "one quiz of 3"),
    (GOOD.replace("## Summary", "## End"), "no `## Summary`"),
]


@pytest.mark.parametrize(("text", "problem"), BAD_LESSONS)
def test_a_bad_lesson_is_told_why(root: Path, text: str, problem: str) -> None:
    write_lesson(root, text)
    found = lesson_problems(root)
    assert [said for said in found if problem in said], found


def test_addresses_of_this_machine_need_no_network(root: Path) -> None:
    for address in ("http://127.0.0.1:8000/", "http://localhost", "http://nowhere.invalid/"):
        write_lesson(root, lesson_text("Counting", extra=CELL.replace("1", repr(address))))
        assert lesson_problems(root) == []


def test_code_and_tags_are_no_prose() -> None:
    text = "one two\n```python\nthree = 4\n```\n<b class='five'>six</b> seven's"
    assert _text.words(text) == ["one", "two", "six", "seven's"]


@pytest.mark.parametrize(
    ("prose", "untraced"),
    [
        ("It took 221 threads.", ["221"]),
        ("It took 1,006 threads and 200 calls.", ["1,006", "200"]),
        ("It took 4.2 s, five times 9.", ["4.2"]),
        ("It took 1,005 threads, as printed.", []),
        ("Python 3.12 answers 404 (lesson 05) over HTTP/1.1 with `x = 77`.", []),
        ("Python 3.11.0 to 3.11.3 wrap it.", []),
        ("Lesson 07 showed it.", []),
        ("[← 07 · Stream](07.html)", []),
        ("10. A list\n11. of steps", []),
        ("```python\nx = 77\n```\n[here](77.html)", []),
    ],
)
def test_numbers_in_prose_are_traced_to_a_cell(prose: str, untraced: list[str]) -> None:
    assert gates.untraced_numbers([prose], "threads = 1005") == untraced
