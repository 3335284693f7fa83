"""The learner's marks and answers as one file, for machines that vanish."""

from __future__ import annotations

import io
import json
import os
import zipfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from unblocked import course
from unblocked.show._progress import data_folder, read_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unblocked.show._progress import Marks

FILE_NAME = "my-unblocked-work.zip"
_MARKS = "marks.json"
_MOST_BYTES = 50_000_000  # unpacked; the whole course takes less than one


def vanishing_machine() -> str | None:
    """What this machine is called when it goes away with all that is on it, else None."""
    if any(name.startswith("BINDER_") for name in os.environ):
        return "Binder"
    return "Codespace" if os.environ.get("CODESPACES") else None


def packed() -> bytes:
    """A zip file of the marks and of all notebooks in exercises/."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MARKS, json.dumps(read_marks(), indent=1))
        for path in sorted((working_folder() / "exercises").glob("*.ipynb")):
            archive.write(path, f"exercises/{path.name}")
    return file.getvalue()


def save(target: Path) -> int:
    """`unblocked save FILE`; returns the command's exit code."""
    target.write_bytes(packed())
    print(f"{target}: your marks and answers. `unblocked restore {target.name}` brings them back.")
    return 0


def restore(source: Path) -> int:
    """`unblocked restore FILE`: take back what was saved; returns the command's exit code.

    The better mark counts. A notebook that is there and differs is kept under a dated name.

    Raises:
        CourseError: `source` is not a file that `save` or the download made.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            marks, notebooks = _read(archive, source)
    except (zipfile.BadZipFile, ValueError, KeyError) as error:
        raise _not_ours(source) from error
    _take_marks(marks)
    taken = [name for name, content in notebooks if _take_notebook(name, content)]
    print(f"Marks of {len(marks)} exercises are back, and {len(taken)} notebooks.")
    return 0


def working_folder() -> Path:
    """The folder that holds exercises/, seen from a notebook or from a terminal."""
    root = course.course_folder().parent
    if (root / "pyproject.toml").is_file():
        return root
    here = Path.cwd()
    return here if (here / "exercises").is_dir() else here.parent


def _read(archive: zipfile.ZipFile, source: Path) -> tuple[Marks, list[tuple[str, bytes]]]:
    if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
        raise _not_ours(source)
    marks = json.loads(archive.read(_MARKS))
    if not isinstance(marks, dict):
        raise _not_ours(source)
    return marks, list(_notebooks(archive))


def _notebooks(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Names without a folder, so that nothing can be written anywhere else."""
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.parent.as_posix() == "exercises" and path.suffix == ".ipynb":
            content = archive.read(info)
            json.loads(content)
            yield path.name, content


def _take_marks(found: Marks) -> None:
    marks = read_marks()
    for slug, mark in found.items():
        if _points(mark) >= _points(marks.get(slug)):
            marks[slug] = mark
    data_folder().mkdir(parents=True, exist_ok=True)
    (data_folder() / _MARKS).write_text(json.dumps(marks, indent=1), encoding="utf-8")


def _points(mark: Any) -> float:
    points = mark.get("points") if isinstance(mark, dict) else None
    return float(points) if isinstance(points, int | float) else -1.0


def _take_notebook(name: str, content: bytes) -> bool:
    target = working_folder() / "exercises" / name
    target.parent.mkdir(exist_ok=True)
    if target.is_file():
        if target.read_bytes() == content:
            return False
        target.rename(target.with_name(f"{target.stem}.{datetime.now():%Y-%m-%d-%H%M%S-%f}.ipynb"))
    target.write_bytes(content)
    return True


def _not_ours(source: Path) -> course.CourseError:
    return course.CourseError(f"{source} is not a file that `unblocked save` made.")
