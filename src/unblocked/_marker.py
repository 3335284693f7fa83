"""The marker line `# exercise: SLUG`, by which an answer is found. Imports nothing of ours.

No code is read as Python here: only the first lines of what a learner wrote are looked at.
"""

from __future__ import annotations

import re

_MARKER = re.compile(
    r"(?:[ \t]*(?:%%[^\n]*|[!%][^\n]*)?\n)*[ \t]*#[ \t]*exercise:[ \t]*([\w-]+)", re.IGNORECASE
)


def marked(source: str) -> str:
    """Return the slug in the marker line that the code begins with, or ''.

    Magics and lines for the shell may stand above it; capitals make no difference.
    """
    found = _MARKER.match(source.lstrip("\n"))
    return found[1].lower() if found else ""


def defines(source: str, name: str) -> bool:
    """Return whether a line of the code, not indented, binds this name by `=`, `def` or `class`.

    A name that ends in `*` stands for all that begin with it.
    """
    name = rf"{name[:-1]}\w*" if name.endswith("*") else name
    assigned = rf"{name}[ \t]*(?::[^=\n]*)?=(?!=)"
    declared = rf"(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b"
    return re.search(rf"^(?:{assigned}|{declared})", source, re.MULTILINE) is not None
