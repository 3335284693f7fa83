"""The texts of a small course that is good by every gate."""

from __future__ import annotations

import textwrap

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
