"""What was there is kept, and nobody sees half a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblocked import _files


def test_what_was_there_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.ipynb"
    assert _files.put(path, b"one") is None
    kept = _files.put(path, b"two")
    assert kept is not None
    assert (kept.parent, kept.suffix) == (path.parent, ".ipynb")
    assert (kept.read_bytes(), path.read_bytes()) == (b"one", b"two")
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize("write", [_files.put, _files.replace])
def test_a_write_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    def full(half: Path, content: bytes) -> int:
        half.touch()
        raise OSError("No space left on device")

    path = tmp_path / "a.ipynb"
    path.write_text("mine")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert callable(write)
    with pytest.raises(OSError, match="No space"):
        write(path, b"new")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("a.ipynb", "mine")
    ]
