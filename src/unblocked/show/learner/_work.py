"""Saves and restores the learner's marks and answers, for machines that are deleted."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unblocked import marks
from unblocked._files import put
from unblocked._places import working_folder
from unblocked.course import CourseError, exercise_slugs

if TYPE_CHECKING:
    from unblocked.marks import Marks

    Members = list[tuple[zipfile.ZipInfo, bytes]]

FILE_NAME = "my-unblocked-work.zip"
_MARKS = "marks.json"
_MOST_BYTES = 50_000_000  # unpacked; the whole course takes less than one
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises for a member: damaged, cut off, packed in an unknown way, encrypted."""


def vanishing_machine() -> str | None:
    """Return the name of a machine that is deleted with all that is on it, else None."""
    if any(name.startswith("BINDER_") for name in os.environ):
        return "Binder"
    return "Codespace" if os.environ.get("CODESPACES") else None


def pack() -> bytes:
    """Return a zip file of the marks and of all notebooks in exercises/, as they are.

    Raises:
        CourseError: there is no notebook, or more than `restore` would take back; or nobody works
            here (`working_folder`).
    """
    return _zip(_own_notebooks())


def save(target: Path) -> int:
    """`unblocked save FILE`; returns the command's exit code. An older FILE is kept.

    Raises:
        CourseError: as `packed`; or `target` is no name of a zip file.
    """
    if target.suffix.lower() != ".zip":
        raise CourseError(
            f"{target} does not end in .zip, so nothing was written: it might be another file of "
            f"yours. Try `unblocked save {FILE_NAME}`."
        )

    notebooks = _own_notebooks()
    kept = put(target, _zip(notebooks))
    marked = _count(len(marks.best()), "exercise")
    where = working_folder() / "exercises"
    print(f"{target}: {_count(len(notebooks), 'notebook')} of {where}, and the marks of {marked}.")
    print(f"`unblocked restore {target.name}` in the course's folder brings them back.")
    if kept is not None:
        print(f"The file that had this name: {kept.name}")

    for info, content in notebooks:
        if not _is_notebook(content):
            print(f"{info.filename} cannot be read as a notebook; it is in the file as it is.")

    return 0


def restore(source: Path) -> int:
    """`unblocked restore FILE`: take back what was saved; returns the command's exit code.

    The better mark counts. A notebook that is there and differs is kept under a dated name.

    Raises:
        CourseError: `source` is not a file that `save` or the download made, or not whole; or
            nobody works here (`working_folder`).
    """
    folder, saved = working_folder() / "exercises", _read(source)
    marks.merge(saved.marks)
    kept = [_take_notebook(folder / name, content) for name, content in saved.notebooks.items()]
    notebooks = _count(len(saved.notebooks), "notebook")
    print(f"{notebooks} and the marks of {_count(len(saved.marks), 'exercise')} are back.")
    if any(kept):
        print("What was there:", ", ".join(path.name for path in kept if path))
        print("Is one of them open in JupyterLab? Choose File → Reload Notebook from Disk.")

    for name, content in saved.notebooks.items():
        if not _is_notebook(content):
            print(f"{name} cannot be read as a notebook; so it was saved.{_fix(name)}")

    for name in saved.lost:
        print(f"{name} is damaged in {source.name} and did not come back.")
    return int(bool(saved.lost))


# --- packing --------------------------------------------------------------------------------


def _own_notebooks() -> Members:
    folder = working_folder() / "exercises"
    found = [_member(path) for path in sorted(folder.glob("*.ipynb")) if path.is_file()]
    if not found:
        raise CourseError(
            f"{folder} holds no notebook, so nothing was saved. "
            f"Your marks alone are in {marks.file()}."
        )

    size = sum(len(content) for _, content in found)
    if size > _MOST_BYTES:
        largest, content = max(found, key=lambda one: len(one[1]))
        raise CourseError(
            f"{folder} holds {_megabytes(size)}, and {_megabytes(_MOST_BYTES)} can be saved. "
            f"{largest.filename} is the largest ({_megabytes(len(content))}): open it, choose "
            "Edit → Clear Outputs of All Cells, save it, and try again."
        )

    return found


def _member(path: Path) -> tuple[zipfile.ZipInfo, bytes]:
    """Return a notebook as a member of a zip. Not strict: files of an image may be older than 1980,
    where zips begin.
    """
    info = zipfile.ZipInfo.from_file(path, f"exercises/{path.name}", strict_timestamps=False)
    return info, path.read_bytes()


def _zip(notebooks: Members) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MARKS, json.dumps(marks.best(), indent=1))
        for info, content in notebooks:
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


# --- taking back ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Saved:
    """The content of a saved file."""

    marks: Marks
    notebooks: dict[str, bytes]
    lost: list[str]
    """Names of members that the file no longer holds whole."""


def _read(source: Path) -> _Saved:
    try:
        archive = zipfile.ZipFile(source)
    except zipfile.BadZipFile as error:
        raise CourseError(
            f"{source} is no zip file, or only a part of one. Fetch it again from where it was "
            "saved, or take another copy of it."
        ) from error

    with archive:
        members = _members(archive)
        if _MARKS not in members:
            raise _not_ours(source)
        _check_size(sum(info.file_size for info in members.values()), source)
        found, lost = _whole(archive, members)

    return _Saved(_marks(found.pop(_MARKS, b"{}"), source), found, lost)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by names without a folder, so that nothing can be
    written anywhere else.
    """
    found = {}
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        plain = Path(path.name).name == path.name  # on Windows `C:a.ipynb` is not
        ours = path.parent.as_posix() == "exercises" and path.suffix == ".ipynb"
        if info.filename == _MARKS or (plain and ours):
            found[path.name] = info
    return found


def _check_size(size: int, source: Path) -> None:
    if size > _MOST_BYTES:
        raise CourseError(
            f"{source} unpacks to {_megabytes(size)}, more than the {_megabytes(_MOST_BYTES)} "
            "that `unblocked save` packs. If you know where it is from, unpack it yourself."
        )


def _whole(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> tuple[dict[str, bytes], list[str]]:
    found, lost = {}, []
    for name, info in members.items():
        try:
            found[name] = archive.read(info)
        except _DAMAGED:
            lost.append(name)
    return found, lost


def _marks(content: bytes, source: Path) -> Marks:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise _not_ours(source) from error
    if not isinstance(found, dict):
        raise _not_ours(source)
    return {slug: mark for slug, mark in found.items() if isinstance(mark, dict)}


def _not_ours(source: Path) -> CourseError:
    return CourseError(f"{source} is not a file that `unblocked save` made.")


def _take_notebook(target: Path, content: bytes) -> Path | None:
    """Write a notebook; return the new name of the one that was there, if it differed."""
    same = target.is_file() and target.read_bytes() == content
    return None if same else put(target, content)


# --- saying ---------------------------------------------------------------------------------


def _is_notebook(content: bytes) -> bool:
    """Return whether Jupyter could open a file; it cannot after a write that was cut off, or a
    conflict in git.
    """
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def _fix(name: str) -> str:
    slug = name.removesuffix(".ipynb")
    known = slug in exercise_slugs()
    return f" `unblocked reset {slug}` gives its starter back." if known else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
