"""What every exercise's room must hold.

Whether the grader judges its answers as it should is a test of the grader.
"""

from __future__ import annotations

import ast
import re
import tomllib
from typing import TYPE_CHECKING

from unblocked.authoring.gates._language import language_problems
from unblocked.authoring.gates._text import syntax_problem, words
from unblocked.authoring.notebooks import ANSWER_ABOVE, HINTS, split_statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Course, Room

HINT_STEPS = 3
FEWEST_ANSWERS = {"fix-the-article": (3, 12)}
"""At least so many right and wrong answers lie in the room of this exercise."""
FEWEST_ANSWERS_ELSEWHERE = (2, 8)

_NEEDED = ("exercise.md", "starter.py", "solution.py", "checks.py")
_FILES = frozenset({*_NEEDED, "given.py", "inside.py", "mutants.md"})
_FOLDERS = frozenset({"right", "wrong"})
FEWEST_APPS = (5, 12)
"""At least so many right and wrong apps judge a set of tests."""
_CAUGHT_BY = re.compile(r"\A# caught by: (\S.*)$", re.MULTILINE)
_BEGIN_HERE = re.compile(r"#.*\b(TODO|your (turn|answer|code)|write here)\b", re.IGNORECASE)
_DETAILS = re.compile(r"<details>.*?<summary>.+?</summary>.+?</details>", re.DOTALL)


def room_problems(course: Course, room: Room) -> list[str]:
    """Return what this room lacks; empty when it keeps its contract."""
    missing = [name for name in _NEEDED if not (room.folder / name).is_file()]
    if missing:
        return [f"{name} is missing" for name in missing]
    gates = (_strays, _answers, _apps, _labels, _starter, _hints, _statement, _python, _language)
    found = [problem for gate in gates for problem in gate(room)]
    return [*found, *_place(course, room)]


def _strays(room: Room) -> Iterator[str]:
    for path in sorted(room.folder.rglob("*")):
        name = path.relative_to(room.folder)
        known = name.parts[0] in _FOLDERS and len(name.parts) == 2 and path.suffix == ".py"
        known = known or name.as_posix() in _FILES or _is_cache(name) or path in room.apps
        if path.is_file() and not known:
            yield f"{name.as_posix()} does not belong here"


def _apps(room: Room) -> Iterator[str]:
    """Yield whether a room that judges tests has too few apps, or a wrong one
    that changes nothing.
    """
    if not room.apps:
        return
    files = [path for path in room.apps if path.parent.name == "right"]
    right = {path.stem: path.read_text("utf-8") for path in files}
    wrong = tomllib.loads((room.folder / "apps" / "wrong.toml").read_text("utf-8"))["app"]

    for what, found, fewest in zip(("right", "wrong"), (right, wrong), FEWEST_APPS, strict=True):
        if len(found) < fewest:
            yield f"apps/ has {len(found)} {what} apps, at least {fewest} are wanted"

    for app in wrong:
        count = right.get(app["of"], "").count(app["old"].strip("\n"))
        if count != 1:
            name, of = app["name"], app["of"]
            yield f"apps/wrong.toml: what {name!r} changes stands {count} times in {of}"


def _is_cache(name: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.parts)


def _answers(room: Room) -> Iterator[str]:
    right, wrong = FEWEST_ANSWERS.get(room.slug, FEWEST_ANSWERS_ELSEWHERE)
    if len(room.right) < right:
        yield f"right/ has {len(room.right)} answers, at least {right} are wanted"
    if len(room.wrong) < wrong:
        yield f"wrong/ has {len(room.wrong)} answers, at least {wrong} are wanted"


def _labels(room: Room) -> Iterator[str]:
    """Yield each wrong answer that names no criterion by which it is caught."""
    for path in room.wrong:
        if caught_by(path) is None:
            yield f"wrong/{path.name} must begin with `# caught by: CRITERION`"


def caught_by(path: Path) -> str | None:
    """Return the criterion that a wrong answer says it fails, from its first line."""
    found = _CAUGHT_BY.search(path.read_text(encoding="utf-8"))
    return found[1].strip() if found else None


def _starter(room: Room) -> Iterator[str]:
    starter = room.starter.read_text(encoding="utf-8")
    if not _BEGIN_HERE.search(starter):
        yield "starter.py has no comment that says where to begin (`# TODO: …`)"
    if starter.strip() == room.solution.read_text(encoding="utf-8").strip():
        yield "starter.py is the solution"


def _hints(room: Room) -> Iterator[str]:
    text = room.statement.read_text(encoding="utf-8")
    hints = split_statement(text).hints
    if not HINTS.search(text):
        yield "exercise.md has no `## Hints`"
    elif len(_DETAILS.findall(hints)) != HINT_STEPS or hints.count("<details") != HINT_STEPS:
        yield f"exercise.md wants {HINT_STEPS} hints, each in <details> with a <summary>"


def _statement(room: Room) -> Iterator[str]:
    statement = split_statement(room.statement.read_text(encoding="utf-8")).asks
    for name in given_names(room):
        if not re.search(rf"\b{name}\b", statement):
            yield f"exercise.md does not mention the given name {name}"
    if len(words(statement)) < 40:
        yield "exercise.md says too little about what is asked"
    if len(ANSWER_ABOVE.findall(room.statement.read_text(encoding="utf-8"))) > 1:
        yield "exercise.md has `<!-- answer above -->` more than once"


def _language(room: Room) -> Iterator[str]:
    for problem in language_problems(room.statement.read_text(encoding="utf-8")):
        yield f"exercise.md: {problem}"


def given_names(room: Room) -> list[str]:
    """Return public names that given.py binds."""
    if room.given is None:
        return []
    tree = ast.parse(room.given.read_text(encoding="utf-8"))
    names = [name for node in tree.body for name in _bound(node)]
    return sorted({name for name in names if not name.startswith("_")})


def _bound(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _python(room: Room) -> Iterator[str]:
    fixed = [room.starter, room.solution, room.checks]
    apps = [path for path in room.apps if path.suffix == ".py"]
    for path in [*fixed, *apps, *room.right, *room.wrong]:
        problem = syntax_problem(path.read_text(encoding="utf-8"))
        if problem:
            yield f"{path.relative_to(room.folder).as_posix()}: {problem}"


def _place(course: Course, room: Room) -> Iterator[str]:
    if course.lesson_of(room) is None:
        yield f"exercise.md: `lesson: {room.lesson}` is not the name of a lesson"
    if room.title == room.slug:
        yield "exercise.md has no `title:`"
    if not (room.minutes and room.points):
        yield "exercise.md: minutes and points are more than 0"
