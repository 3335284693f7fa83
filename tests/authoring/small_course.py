"""The texts of a small course that is good by every gate."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "add-up"
LINK = "More of it: [What it costs](deeper/what-it-costs.ipynb)."
PINNED = ("fastapi", "starlette", "httpx", "uvicorn", "anyio")

QUIZ = """\
quiz(
    {"ask": "TITLE one?", "options": {"aye": "Right.", "nay": "Look again."}, "right": "aye"},
    {"ask": "TITLE two?", "options": {"aye": "Right.", "nay": "Look again."}, "right": "aye"},
    {"ask": "TITLE three?", "options": {"aye": "Right.", "nay": "Look again."}, "right": "aye"},
)"""


TASK = """\
```{code-cell}
:tags: [now-you, TAG]
# Now you: write a function `TAG` that returns 1.
```

```{code-cell}
---
jupyter:
  source_hidden: true
---
from unblocked import now_you

async with now_you("One", "TAG", then="That was it.") as task:
    task.expect(TAG() == 1, "one", look_at="`return`")
```"""

RIGHT = "def TAG():\n    return 1\n"
WRONG = "def TAG():\n    return 2\n"
TAGS = ("one", "uno")


def lesson_text(title: str, words: int = 700, extra: str = "") -> str:
    prose = textwrap.fill("loop " * words)
    return f"""\
---
title: {title}
minutes: 20
objectives:
  - say what an upstream is
---

# A title of its own

{prose}

## Predict

```{{code-cell}}
from unblocked import predict, quiz

predict("How many?", key="how-many")
```

{extra}

{tasks()}

```{{code-cell}}
:tags: [raises-exception]
raise ValueError("as it should")
```

## Quiz

```{{code-cell}}
{QUIZ.replace("TITLE", title)}
```

## Summary

- That was it.
"""


def tasks() -> str:
    """Two tasks as they stand in a lesson."""
    return "\n\n".join(TASK.replace("TAG", tag) for tag in TAGS)


DEEPER = f"""\
---
title: What it costs
minutes: 10
objectives:
  - say what it costs
---

{textwrap.fill("loop " * 350)} Back to [counting](../01-counting.ipynb).

```{{code-cell}}
print(6 * 7)
```
"""

GLOSSARY = """\
---
title: Glossary
---

Words of the field.

## event loop

What runs one task after the other.

Lesson: 01
Also: loop

## permit

What one must have before one may go on.

Lesson: 00
"""

PATHS = """\
[[path]]
title = "An hour"
minutes = 60
steps = [
    { lesson = "00-start" },
    { lesson = "01-counting", minutes = 5, leave_out = ["Quiz"] },
    { exercise = "add-up", begin = 10 },
]

[[path]]
title = "More"
minutes = 60
steps = [{ lesson = "01-counting" }, { exercise = "add-up" }]
"""

STATEMENT = """\
---
title: Add up
minutes: 15
points: 10
lesson: 01-counting
---

The name `URL` is bound to the address of an upstream. Define `app`, so that `GET /` asks the
upstream for five numbers at the same time over one client, and answers with their sum as text. When
the upstream cannot be reached, answer 502. Nothing of the answer may be left after the app was shut
down.

```{code-cell}
URL = "http://127.0.0.1:9/"
```

<!-- answer above -->

Try it:

```{code-cell}
print(app)
```

## Hints

<details><summary>A gentle one</summary>

Start all five.

</details>

<details><summary>A plainer one</summary>

`asyncio.gather`

</details>

<details><summary>The plain one</summary>

`await asyncio.gather(...)`

</details>
"""

STARTER = "from fastapi import FastAPI\n\n# TODO: ask for five numbers at once\napp = FastAPI()\n"
SOLUTION = "from fastapi import FastAPI\n\napp = FastAPI()\nsolved = True\n"


def write_course(folder: Path) -> Path:
    """Write the checkout of the small course into a new folder, and return that."""
    root = folder / "cours d'été"
    files = {
        "pyproject.toml": '[project.urls]\nRepository = "https://github.com/some/where"\n',
        "README.md": "# Hi\n\n<!-- built: binder -->\n<!-- /built: binder -->\n\ntext\n\n"
        "<!-- built: map -->\nold\n<!-- /built: map -->\n"
        "<!-- solved -->\nSee [solutions](solutions/): solved.\n<!-- /solved -->\nEnd.\n",
        "course/lessons/00-start.md": lesson_text("Start", words=80),
        "course/lessons/01-counting.md": lesson_text("Counting", extra=LINK),
        "course/deeper/what-it-costs.md": DEEPER,
        "course/glossary.md": GLOSSARY,
        "course/paths.toml": PATHS,
        "INSTRUCTORS.md": "# Teaching\n\n<!-- built: paths -->\nold\n<!-- /built: paths -->\n",
        "requirements.txt": "".join(f"{name}==1.2.{n}\n" for n, name in enumerate(PINNED)),
        f"course/exercises/{SLUG}/exercise.md": STATEMENT,
        f"course/exercises/{SLUG}/starter.py": STARTER,
        f"course/exercises/{SLUG}/solution.py": SOLUTION,
        f"course/exercises/{SLUG}/given.py": 'URL = "http://127.0.0.1:9/"\n',
        f"course/exercises/{SLUG}/checks.py": "",
        "src/unblocked/__init__.py": "",
    }
    files |= {f"course/exercises/{SLUG}/right/r{n}.py": SOLUTION for n in range(2)}
    wrong = f"# caught by: five at once\n{STARTER}"
    files |= {f"course/exercises/{SLUG}/wrong/w{n}.py": wrong for n in range(8)}
    for number in ("00", "01"):
        for tag in TAGS:
            files[f"course/lessons/tasks/{number}/{tag}.py"] = RIGHT.replace("TAG", tag)
            wrong = f"course/lessons/tasks/{number}/{tag}.wrong_two.py"
            files[wrong] = WRONG.replace("TAG", tag)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
