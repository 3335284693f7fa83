"""Where the course is found, and how its front matter is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unblocked import course

if TYPE_CHECKING:
    from pathlib import Path


def test_a_checkout_is_found(at_home: Path) -> None:
    assert course.course_folder() == at_home / "course"
    assert course.exercise_slugs() == ("add-up",)
    assert [lesson.name for lesson in course.lessons()] == ["00-start", "01-counting"]


def test_in_a_wheel_the_course_lies_in_the_package(at_home: Path) -> None:
    (at_home / "course").rename(at_home / "src/unblocked/_course")
    assert course.course_folder() == at_home / "src/unblocked/_course"
    assert course.room("add-up").points == 10


def test_no_course_at_all_is_told(at_home: Path) -> None:
    (at_home / "course").rename(at_home / "elsewhere")
    with pytest.raises(course.CourseError, match="again"):
        course.course_folder()


def test_a_room_knows_its_files(at_home: Path) -> None:
    room = course.room("add-up")
    assert (room.title, room.minutes, room.lesson) == ("Add up", 15, "01-counting")
    assert room.given == room.folder / "given.py"
    assert [path.name for path in room.right] == ["r0.py", "r1.py"]
    assert len(room.wrong) == 8
    (room.folder / "given.py").unlink()
    assert room.given is None


@pytest.mark.parametrize("slug", ["../add-up", "gone", "", "."])
def test_no_other_room_is_opened(at_home: Path, slug: str) -> None:
    with pytest.raises(course.CourseError, match="no exercise"):
        course.room(slug)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("---\na: b\n---\n", {"a": "b"}),
        ('---\na: "b: c"\n---\n', {"a": "b: c"}),
        ("---\na: [b, 'c, d']\n---\n", {"a": ["b", "c, d"]}),
        ("---\na: [b's, c's]\n---\n", {"a": ["b's", "c's"]}),
        ("---\na:\n  - b\n  - c: d\nx: y\n---\n", {"a": ["b", "c: d"], "x": "y"}),
        ("---\na: it's: so\n---\n", {"a": "it's: so"}),
        ("no front matter\n---\n", {}),
    ],
)
def test_front_matter(text: str, values: dict[str, object]) -> None:
    assert course.split_front_matter(text)[0] == values


def test_the_rest_of_the_file_is_untouched() -> None:
    assert course.split_front_matter("---\na: b\n---\n\n# c\n---\nd\n")[1] == "\n# c\n---\nd\n"


def test_a_number_that_is_none_is_told_with_its_file(at_home: Path) -> None:
    path = at_home / "course/exercises/add-up/exercise.md"
    path.write_text(path.read_text("utf-8").replace("points: 10", "points: ten"), "utf-8")
    with pytest.raises(course.CourseError, match=r"exercise\.md.*points"):
        course.rooms()
