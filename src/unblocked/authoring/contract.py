"""What every lesson and every exercise room must hold, as sentences about what is missing.

These are the gates of the course: tests ask them about every lesson and room, and `unblocked new`
prints them for an empty room. Whether the grader judges the answers as it should is tested there.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from unblocked.authoring import _cells
from unblocked.authoring._exercises import ANSWER_ABOVE, HINTS, split_statement
from unblocked.authoring._lessons import lesson_notebook
from unblocked.course import split_front_matter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.authoring._cells import Cell
    from unblocked.authoring._pages import Course
    from unblocked.course import Lesson, Room

WORDS = range(600, 1201)
MOST_CELLS = 39
QUESTIONS = 3
HINT_STEPS = 3
FEWEST_ANSWERS = {"fix-the-article": (3, 12)}  # right, wrong
FEWEST_ANSWERS_ELSEWHERE = (2, 8)
FIRST_LESSON = "00"  # shows the way: it may be as short as it likes

_NEEDED = ("exercise.md", "starter.py", "solution.py", "checks.py")
_FILES = frozenset({*_NEEDED, "given.py", "inside.py"})
_FOLDERS = frozenset({"right", "wrong"})
_CAUGHT_BY = re.compile(r"\A# caught by: (\S.*)$", re.MULTILINE)
_BEGIN_HERE = re.compile(r"#.*\b(TODO|your (turn|answer|code)|write here)\b", re.IGNORECASE)
_DETAILS = re.compile(r"<details>.*?<summary>.+?</summary>.+?</details>", re.DOTALL)
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_IMAGE = re.compile(r"<img[^>]*>")
_OUTSIDE = re.compile(
    r"https?://(?!127\.|localhost\b|\[::1\]|0\.0\.0\.0|[\w.-]+\.invalid\b)[\w.-]+\."
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_NAMES = re.compile(
    r"`[^`]*`|\]\([^)]*\)|^\s*\d+\.|\b(?:20[0-6]|30[1-8]|40\d|422|429|499|50[0234])\b"
    r"(?! ?(?:ms|s|threads|callers|calls|MB|answers)\b)"
    r"|\b[Ll]essons? \d\d|\b\d\d ·|HTTP/\d\.\d"
    r"|\b(?:Python|HTTPX|FastAPI|Starlette|uvicorn) \d[\d.+]*|\b\d+\.\d+\.\d+\b",
    re.MULTILINE,
)
_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_TAG = re.compile(r"<[^>]+>")


def room_problems(course: Course, room: Room) -> list[str]:
    """What this room lacks; empty when it keeps its contract."""
    missing = [name for name in _NEEDED if not (room.folder / name).is_file()]
    if missing:
        return [f"{name} is missing" for name in missing]
    gates = (_strays, _answers, _labels, _starter, _hints, _statement, _python)
    found = [problem for gate in gates for problem in gate(room)]
    return [*found, *_place(course, room)]


def _strays(room: Room) -> Iterator[str]:
    for path in sorted(room.folder.rglob("*")):
        name = path.relative_to(room.folder)
        known = name.parts[0] in _FOLDERS and len(name.parts) == 2 and path.suffix == ".py"
        known = known or name.as_posix() in _FILES or _is_cache(name)
        if path.is_file() and not known:
            yield f"{name.as_posix()} does not belong here"


def _is_cache(name: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.parts)


def _answers(room: Room) -> Iterator[str]:
    right, wrong = FEWEST_ANSWERS.get(room.slug, FEWEST_ANSWERS_ELSEWHERE)
    if len(room.right) < right:
        yield f"right/ has {len(room.right)} answers, at least {right} are wanted"
    if len(room.wrong) < wrong:
        yield f"wrong/ has {len(room.wrong)} answers, at least {wrong} are wanted"


def _labels(room: Room) -> Iterator[str]:
    """Whether each wrong answer names a criterion. Names are strings in the checks or shared."""
    for path in room.wrong:
        if caught_by(path) is None:
            yield f"wrong/{path.name} must begin with `# caught by: CRITERION`"


def caught_by(path: Path) -> str | None:
    """The criterion that a wrong answer says it fails, from its first line."""
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
    if len(_words(statement)) < 40:
        yield "exercise.md says too little about what is asked"
    if len(ANSWER_ABOVE.findall(room.statement.read_text(encoding="utf-8"))) > 1:
        yield "exercise.md has `<!-- answer above -->` more than once"


def given_names(room: Room) -> list[str]:
    """Public names that given.py binds."""
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
    for path in [*fixed, *room.right, *room.wrong]:
        problem = _syntax_problem(path.read_text(encoding="utf-8"))
        if problem:
            yield f"{path.relative_to(room.folder).as_posix()}: {problem}"


def _syntax_problem(source: str) -> str | None:
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    return None


def _place(course: Course, room: Room) -> Iterator[str]:
    if course.lesson_of(room) is None:
        yield f"exercise.md: `lesson: {room.lesson}` is not the name of a lesson"
    if room.title == room.slug:
        yield "exercise.md has no `title:`"
    if not (room.minutes and room.points):
        yield "exercise.md: minutes and points are more than 0"


def lesson_problems(course: Course, lesson: Lesson, root: Path) -> list[str]:
    """What this lesson lacks; empty when it keeps its contract. `root` is where links lead from."""
    made = lesson_notebook(course, lesson)
    _, body = split_front_matter(lesson.path.read_text(encoding="utf-8"))
    return [
        *_length(lesson, body, len(made.cells)),
        *_front(lesson),
        *_links(made.cells, root / "notebooks", course),
        *_cells_run(made.cells),
        *_asks(made.cells),
        *_closes(body),
    ]


def _length(lesson: Lesson, body: str, cells: int) -> Iterator[str]:
    words = len(_words(body))
    least = WORDS.start if lesson.number != FIRST_LESSON else 0
    if not least <= words < WORDS.stop:
        yield f"{words} words of prose; {least} to {WORDS.stop - 1} are wanted"
    if cells > MOST_CELLS:
        yield f"{cells} cells; at most {MOST_CELLS} are wanted"


def _words(text: str) -> list[str]:
    """Words of prose: no code blocks, no tags."""
    return _WORD.findall(_TAG.sub(" ", _cells.without_fences(text)))


def _front(lesson: Lesson) -> Iterator[str]:
    if not 0 < lesson.minutes <= 90:
        yield "front matter: minutes are between 1 and 90"
    if not lesson.objectives:
        yield "front matter: objectives are missing"
    if lesson.title == lesson.name:
        yield "front matter: the title is missing"


def _links(cells: list[Cell], folder: Path, course: Course) -> Iterator[str]:
    built = _built_paths(folder.parent, course)
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        text = _cells.without_fences(cell.source)
        for image, target in _LINK.findall(text):
            yield from _link_problems(bool(image), target, folder, built)
        for tag in _IMAGE.findall(text):
            if "alt=" not in tag:
                yield f"an image without alt text: {tag}"


def _built_paths(root: Path, course: Course) -> set[Path]:
    """What a build makes: a link to it is good before it is built."""
    names = [f"notebooks/{lesson.name}.ipynb" for lesson in course.lessons]
    names += [f"{kind}/{r.slug}.ipynb" for r in course.rooms for kind in ("exercises", "solutions")]
    return {(root / name).resolve() for name in names}


def _link_problems(image: bool, target: str, folder: Path, built: set[Path]) -> Iterator[str]:
    if target.startswith(("http:", "https:")):
        if image:
            yield f"the image {target} needs a network"
        return
    if target.startswith(("#", "mailto:", "attachment:")):
        return
    path = (folder / target.split("#", 1)[0]).resolve()
    if path not in built and not path.exists():
        yield f"the link {target} leads nowhere"


def _cells_run(cells: list[Cell]) -> Iterator[str]:
    for cell in cells:
        if cell.cell_type != "code":
            continue
        outside = _OUTSIDE.search(cell.source)
        if outside:
            yield f"{cell.id} needs a network: {outside[0]}"
        problem = _syntax_problem(cell.source)
        if problem and "raises-exception" not in cell.metadata.get("tags", []):
            yield f"{cell.id}: {problem}"


def _asks(cells: list[Cell]) -> Iterator[str]:
    calls = [call for cell in cells if cell.cell_type == "code" for call in _calls(cell.source)]
    if "predict" not in [name for name, _ in calls]:
        yield "there is nothing to predict"
    questions = [count for name, count in calls if name == "quiz"]
    if questions != [QUESTIONS]:
        yield f"one quiz of {QUESTIONS} questions is wanted, found {questions or 'none'}"


def _calls(source: str) -> Iterator[tuple[str, int]]:
    """Names that are called in a cell, each with its number of positional arguments."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, len(node.args)


def _closes(body: str) -> Iterator[str]:
    if not re.search(r"^## Summary\b", body, re.MULTILINE):
        yield "there is no `## Summary`"


def untraced_numbers(prose: list[str], shown: str) -> list[str]:
    """Numbers in prose that no cell holds or prints (`shown`), so that nobody can trace them.

    Single digits are words here. HTTP status codes, versions, lessons and what stands in code spans
    are names, not measurements.
    """
    text = "\n".join(_NAMES.sub(" ", _cells.without_fences(part)) for part in prose)
    known = {_value(found[0]) for found in _NUMBER.finditer(shown)}
    numbers = [found[0].rstrip(",") for found in _NUMBER.finditer(text)]
    return [number for number in numbers if len(number) > 1 and not _traced(number, known)]


def _traced(number: str, known: set[float]) -> bool:
    """Milliseconds may stand as seconds in a cell, and a percentage as a fraction."""
    value = _value(number)
    return not {value, value / 1000, value / 100}.isdisjoint(known)


def _value(number: str) -> float:
    return float(number.replace(",", ""))
