"""What the pages need beside them: style, search, and Mermaid for diagrams."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from importlib.resources import files
from pathlib import Path

from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from unblocked.course import CourseError

MERMAID = "mermaid@11.16.1"


def copy_files(out: Path) -> None:
    """Write the style sheet and the script that searches."""
    source = files(__package__) / "files"
    (out / "search.js").write_text((source / "search.js").read_text("utf-8"), "utf-8")
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    style = (source / "style.css").read_text("utf-8")
    colours = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (out / "style.css").write_text(f"{colours}{style}", "utf-8")


def copy_mermaid(out: Path) -> bool:
    """Put Mermaid beside the pages, out of its npm package. Without it diagrams stay text."""
    target = out / "mermaid.min.js"
    if target.is_file():
        return True
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not here: diagrams stay text")
        return False

    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, MERMAID]
        done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            print("npm could not fetch Mermaid: diagrams stay text")
            return False
        target.write_bytes(_member(packed[0], "package/dist/mermaid.min.js"))

    return True


def _member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as packed:
        file = packed.extractfile(name)
        if file is None:
            raise CourseError(f"{archive.name} has no {name}; name another version of Mermaid.")
        return file.read()
