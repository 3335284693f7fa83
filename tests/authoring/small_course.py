"""The texts of a small course that is good by every gate."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "add-up"

QUIZ = """\
quiz(
    {"ask": "One?", "options": {"yes": "Right.", "no": "Look again."}, "right": "yes"},
    {"ask": "Two?", "options": {"yes": "Right.", "no": "Look again."}, "right": "yes"},
    {"ask": "Three?", "options": {"yes": "Right.", "no": "Look again."}, "right": "yes"},
)"""


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

```{{code-cell}}
:tags: [raises-exception]
raise ValueError("as it should")
```

## Quiz

```{{code-cell}}
{QUIZ}
```

## Summary

- That was it.
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
        "course/lessons/01-counting.md": lesson_text("Counting"),
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
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
