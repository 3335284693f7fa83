"""`unblocked new exercise SLUG`: an empty room that already fails its contract."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unblocked.authoring.gates import room_problems
from unblocked.course import CourseError, checkout, read_course, room

if TYPE_CHECKING:
    from unblocked.course import Course

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_STATEMENT = """\
---
title: {title}
minutes: 30
points: 10
lesson: {lesson}
---

Say what the app must do, and name what it is given: `URL`.

```{{code-cell}}
from unblocked import Upstream, serve

upstream = Upstream()
URL = upstream.url
```

<!-- answer above -->

```{{code-cell}}
# Try your app here.
```

## Hints

<details><summary>A gentle one</summary>

Where to look.

</details>
"""

_STARTER = """\
from fastapi import FastAPI

app = FastAPI()
"""

_CHECKS = '''\
"""What is graded in `{slug}`."""

from __future__ import annotations

from unblocked.grading.checks import Exam, criterion, expect_reply, nothing_blocks


@criterion("answers", points=9)
async def answers(exam: Exam) -> str:
    async with exam.serving() as (app, upstream):
        expect_reply(app, await app.get(), status=200)
    return "Say what a right answer may learn next."


blocks_nothing = nothing_blocks()
'''


def new_exercise(slug: str) -> int:
    """Make the room and say what it lacks. Returns the command's exit code.

    Raises:
        CourseError: the slug cannot be used, or the room is there already.
    """
    root = checkout()
    course = read_course(root / "course")
    folder = root / "course" / "exercises" / slug
    if not _SLUG.fullmatch(slug):
        raise CourseError(f"{slug!r} is no slug: use lower-case words joined by hyphens.")
    if folder.exists():
        raise CourseError(f"{folder.relative_to(root).as_posix()} is there already.")
    for name, text in _files(slug, course).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{folder.relative_to(root).as_posix()} is made. Before it keeps its contract:")
    for problem in room_problems(course, room(slug, course.folder)):
        print(f"  {problem}")
    return 0


def _files(slug: str, course: Course) -> dict[str, str]:
    title = slug.replace("-", " ").capitalize()
    lesson = course.lessons[-1].name if course.lessons else ""
    return {
        "exercise.md": _STATEMENT.format(title=title, lesson=lesson),
        "starter.py": _STARTER,
        "solution.py": _STARTER,
        "checks.py": _CHECKS.format(slug=slug),
        "right/one.py": _STARTER,
        "wrong/starter.py": _STARTER,
    }
