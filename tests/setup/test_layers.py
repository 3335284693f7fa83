"""The rooms of the house: who may import whom, as contracts in pyproject.toml."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unblocked"
ROOMS = sorted(path for path in PACKAGE.rglob("__init__.py") if path.parent.name != "assets")


def test_arrows_between_rooms_go_down_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_each_room_says_what_it_is_for() -> None:
    said = {str(room): ast.get_docstring(ast.parse(room.read_text("utf-8"))) for room in ROOMS}
    assert [room for room, text in said.items() if not says_one_sentence(text)] == []


def says_one_sentence(text: str | None) -> bool:
    return bool(text) and str(text).splitlines()[0].endswith(".")


def test_a_room_of_grading_has_few_parts_in_sight() -> None:
    grading = PACKAGE / "grading"
    parts = [path for path in grading.iterdir() if path.suffix == ".py" or path.is_dir()]
    seen = {path.stem for path in parts} - {"__init__", "__main__", "__pycache__"}
    assert len(seen) <= 8, seen
