"""Where the course lies, and what is in it.

Imports nothing of ours and nothing heavy: build, grader and command line all begin here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FrontMatter = dict[str, "str | list[str]"]

_PACKAGE = Path(__file__).resolve().parent


class CourseError(Exception):
    """The course, or the part of it that was asked for, cannot be used. The text names the fix."""


@dataclass(frozen=True, slots=True)
class Room:
    """One exercise: all that belongs to it lies in one folder."""

    slug: str
    folder: Path
    title: str
    minutes: int
    points: int
    lesson: str

    @property
    def statement(self) -> Path:
        return self.folder / "exercise.md"

    @property
    def starter(self) -> Path:
        return self.folder / "starter.py"

    @property
    def solution(self) -> Path:
        return self.folder / "solution.py"

    @property
    def checks(self) -> Path:
        return self.folder / "checks.py"

    @property
    def given(self) -> Path | None:
        """The file that binds the given names, when there is one."""
        path = self.folder / "given.py"
        return path if path.is_file() else None

    @property
    def apps(self) -> tuple[Path, ...]:
        """The files of the apps by which an answer is judged that is a set of tests."""
        packed = self.folder / "apps.zip"  # in a learners' copy
        found = [packed] if packed.is_file() else (self.folder / "apps").rglob("*")
        return tuple(sorted(path for path in found if path.suffix in (".py", ".toml", ".zip")))

    @property
    def right(self) -> tuple[Path, ...]:
        return tuple(sorted((self.folder / "right").glob("*.py")))

    @property
    def wrong(self) -> tuple[Path, ...]:
        return tuple(sorted((self.folder / "wrong").glob("*.py")))


@dataclass(frozen=True, slots=True)
class Task:
    """A right answer and some wrong ones to a task inside a lesson, by the tag of its cell."""

    tag: str
    right: Path
    wrong: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page to read and run: a MyST Markdown file. Its name is that of the notebook."""

    name: str
    path: Path
    title: str
    minutes: int
    objectives: tuple[str, ...]

    @property
    def tasks_folder(self) -> Path:
        """Where the answers to its tasks lie, if it has any: `tasks/NAME/` beside the page."""
        return self.path.parent / "tasks" / self.name

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that have an answer, in the order of their tags."""
        return _read_tasks(self.tasks_folder)


@dataclass(frozen=True, slots=True)
class Lesson(Page):
    """One lesson."""

    needs: str

    @property
    def number(self) -> str:
        """The two digits with which its name begins."""
        return self.name[:2]

    @property
    def tasks_folder(self) -> Path:
        """Where the answers to its tasks lie: `lessons/tasks/NN/`."""
        return self.path.parent / "tasks" / self.number


class Deeper(Page):
    """One page of optional depth, which leads to no exercise."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a lesson, perhaps in short, or an exercise, perhaps only begun."""

    page: Lesson | Room
    minutes: int
    leave_out: tuple[str, ...] = ()

    @property
    def is_short(self) -> bool:
        """Whether the lesson is built once more, without some sections."""
        return bool(self.leave_out)

    @property
    def notebook(self) -> str:
        """The name of the notebook for this step."""
        name = self.page.slug if isinstance(self.page, Room) else self.page.name
        return f"{name}-in-short" if self.is_short else name


@dataclass(frozen=True, slots=True)
class LearningPath:
    """A way through a part of the course, for those who have `minutes`."""

    title: str
    minutes: int
    steps: tuple[Step, ...]

    @property
    def taken(self) -> int:
        """The minutes of all steps together."""
        return sum(step.minutes for step in self.steps)


@dataclass(frozen=True, slots=True)
class Course:
    """Everything that the build reads."""

    folder: Path
    lessons: tuple[Lesson, ...]
    rooms: tuple[Room, ...]
    deeper: tuple[Deeper, ...] = ()

    @property
    def root(self) -> Path:
        """The checkout that this course lies in."""
        return self.folder.parent

    def rooms_of(self, lesson: Lesson) -> tuple[Room, ...]:
        """Return the exercises that this lesson leads to."""
        return tuple(room for room in self.rooms if room.lesson == lesson.name)

    def neighbours(self, lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
        """Return the lessons before and after this one; None at either end."""
        place = self.lessons.index(lesson)
        around = (None, *self.lessons, None)
        return around[place], around[place + 2]

    def lesson_of(self, room: Room) -> Lesson | None:
        """Return the lesson that leads to this exercise; None for an exercise of its own."""
        return next((lesson for lesson in self.lessons if lesson.name == room.lesson), None)


def read_course(folder: Path) -> Course:
    """Return all lessons, exercises and deeper pages in this folder `course/`."""
    return Course(folder, lessons(folder), rooms(folder), deeper_pages(folder))


def learning_paths(course: Course) -> tuple[LearningPath, ...]:
    """Return the paths of course/paths.toml; none without that file.

    Raises:
        CourseError: a path names what is not there.
    """
    file = course.folder / "paths.toml"
    if not file.is_file():
        return ()
    import tomllib  # only authors have paths to read

    found = tomllib.loads(file.read_text(encoding="utf-8"))["path"]
    return tuple(
        LearningPath(one["title"], one["minutes"], tuple(_read_steps(course, one["steps"])))
        for one in found
    )


def _read_steps(course: Course, steps: list[dict[str, Any]]) -> Iterator[Step]:
    pages: dict[str, Lesson | Room] = {lesson.name: lesson for lesson in course.lessons}
    pages |= {room.slug: room for room in course.rooms}
    for step in steps:
        name = step.get("exercise") or step["lesson"]
        if name not in pages:
            raise CourseError(
                f"There is no lesson or exercise {name!r}: take it out of course/paths.toml."
            )
        minutes = step.get("begin" if "exercise" in step else "minutes", pages[name].minutes)
        yield Step(pages[name], minutes, tuple(step.get("leave_out", ())))


def course_folder() -> Path:
    """Return the folder `course/`: inside the package when that came as a wheel, else the
    checkout's.

    Raises:
        CourseError: neither is there.
    """
    for folder in (_PACKAGE / "_course", _PACKAGE.parents[1] / "course"):
        if (folder / "exercises").is_dir():
            return folder
    raise CourseError("The course's files are missing; install Unblocked again, or clone it again.")


def checkout() -> Path:
    """Return the folder that holds course/, pyproject.toml and the README.

    Raises:
        CourseError: the course was installed as a package, which is not where it is written.
    """
    root = course_folder().parent
    if not (root / "pyproject.toml").is_file():
        raise CourseError("The course is built in a clone of its repository; this is a package.")
    return root


def exercise_slugs(course: Path | None = None) -> tuple[str, ...]:
    """Return slugs of all exercises, in the order of their lessons."""
    return tuple(room.slug for room in rooms(course))


def rooms(course: Path | None = None) -> tuple[Room, ...]:
    """Return all exercises, in the order of their lessons."""
    folder = (course or course_folder()) / "exercises"
    found = [_read_room(path.parent) for path in sorted(folder.glob("*/exercise.md"))]
    return tuple(sorted(found, key=lambda room: (room.lesson, room.points, room.slug)))


def room(slug: str, course: Path | None = None) -> Room:
    """Return one exercise.

    Raises:
        CourseError: there is no such exercise; the text names the nearest.
    """
    folder = (course or course_folder()) / "exercises"
    known = sorted(path.parent.name for path in folder.glob("*/exercise.md"))
    if slug not in known:
        import difflib  # only for the message, so that `check` need not load it

        near = difflib.get_close_matches(slug, known, n=1)
        advice = (
            f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known) or 'none'}."
        )
        raise CourseError(f"There is no exercise {slug!r}. {advice}")
    return _read_room(folder / slug)


def lessons(course: Path | None = None) -> tuple[Lesson, ...]:
    """Return all lessons, in order."""
    folder = (course or course_folder()) / "lessons"
    return tuple(_read_lesson(path) for path in sorted(folder.glob("[0-9][0-9]-*.md")))


def deeper_pages(course: Path | None = None) -> tuple[Deeper, ...]:
    """Return all pages of optional depth, in the order of their names."""
    folder = (course or course_folder()) / "deeper"
    return tuple(
        Deeper(*_page_fields(path, _read(path)[0])) for path in sorted(folder.glob("*.md"))
    )


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Return front matter and the rest of a Markdown file.

    Understands what the course needs, no more: `key: value`, `key: [a, b]`, lists of `- item`.
    """
    head, found, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not found:
        return {}, text
    return _front_matter(head), body


def _front_matter(head: str) -> FrontMatter:
    values: FrontMatter = {}
    items: list[str] = []
    for line in head.splitlines():
        stripped = line.strip()
        if stripped.startswith("- "):
            items.append(_plain(stripped[2:]))
        elif ":" in stripped and not line.startswith((" ", "#")):
            key, _, value = stripped.partition(":")
            items = []
            values[key] = _value(value.strip()) if value.strip() else items
    return values


def _value(text: str) -> str | list[str]:
    if text.startswith("[") and text.endswith("]"):
        return [_plain(item) for item in _split_items(text[1:-1])]
    return _plain(text)


def _split_items(text: str) -> list[str]:
    """Return the parts between commas that are outside quotes."""
    items, quote = [""], ""
    for char in text:
        if char == "," and not quote:
            items.append("")
            continue
        if char in "\"'" and (char == quote or (not quote and not items[-1].strip())):
            quote = "" if quote else char
        items[-1] += char
    return [item for item in items if item.strip()]


def _plain(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _read_room(folder: Path) -> Room:
    values, _ = _read(folder / "exercise.md")
    return Room(
        slug=folder.name,
        folder=folder,
        title=_text(values, "title", folder.name),
        minutes=_number(values, "minutes", folder / "exercise.md"),
        points=_number(values, "points", folder / "exercise.md"),
        lesson=_text(values, "lesson", ""),
    )


def _read_lesson(path: Path) -> Lesson:
    values, _ = _read(path)
    return Lesson(*_page_fields(path, values), needs=_text(values, "needs", ""))


def _page_fields(path: Path, values: FrontMatter) -> tuple[str, Path, str, int, tuple[str, ...]]:
    """Return what each page has, in the order of the fields of `Page`."""
    title, minutes = _text(values, "title", path.stem), _number(values, "minutes", path)
    return path.stem, path, title, minutes, _items(values, "objectives")


def _read_tasks(folder: Path) -> tuple[Task, ...]:
    """Return the tasks of a folder: `TAG.py` is a right answer, `TAG.wrong_NAME.py` a wrong one."""
    right = sorted(path for path in folder.glob("*.py") if "." not in path.stem)
    return tuple(
        Task(path.stem, path, tuple(sorted(folder.glob(f"{path.stem}.wrong_*.py"))))
        for path in right
    )


def _read(path: Path) -> tuple[FrontMatter, str]:
    return split_front_matter(path.read_text(encoding="utf-8"))


def _text(values: FrontMatter, key: str, default: str) -> str:
    value = values.get(key, default)
    return value if isinstance(value, str) else ", ".join(value)


def _items(values: FrontMatter, key: str) -> tuple[str, ...]:
    value = values.get(key, [])
    return (value,) if isinstance(value, str) else tuple(value)


def _number(values: FrontMatter, key: str, path: Path) -> int:
    text = _text(values, key, "")
    if not text.isdecimal():
        raise CourseError(f"{path}: the front matter needs `{key}:` with a whole number.")
    return int(text)
