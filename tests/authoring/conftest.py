"""A small course in a folder of its own: two lessons, one exercise, good by every gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_course import SLUG, SOLUTION, STARTER, STATEMENT, lesson_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The checkout of a small course, not built yet."""
    root = tmp_path / "cours d'été"
    files = {
        "pyproject.toml": '[project.urls]\nRepository = "https://github.com/some/where"\n',
        "README.md": "# Hi\n\n<!-- built: binder -->\n<!-- /built: binder -->\n\ntext\n\n"
        "<!-- built: map -->\nold\n<!-- /built: map -->\n",
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


@pytest.fixture
def at_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small course is the one that the commands find."""
    monkeypatch.setattr("unblocked.course._PACKAGE", root / "src" / "unblocked")
    return root
