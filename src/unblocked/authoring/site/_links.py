"""Where the links of a page lead: to pages of the site, to copied pictures, to the repository."""

from __future__ import annotations

import html
import posixpath
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from unblocked.authoring.site._pages import SitePage

_REFERENCE = re.compile(r'(<a\b[^>]*?\bhref|<img\b[^>]*?\bsrc)="([^"]*)"')


def relink(page: SitePage, address: str, root: Path, out: Path) -> str:
    """Return the body with its links led to pages of the site, to copied pictures, or to the
    repository.
    """

    def relinked(found: re.Match[str]) -> str:
        target = html.unescape(found[2])
        return f'{found[1]}="{html.escape(_target(page, target, address, root, out))}"'

    return _REFERENCE.sub(relinked, page.body)


def _target(page: SitePage, target: str, address: str, root: Path, out: Path) -> str:
    parts = urlsplit(target)
    if parts.scheme or not parts.path:
        return target
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page.place), parts.path))
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    if path.startswith(("notebooks/", "exercises/")) and path.endswith(".ipynb"):
        return f"{page.up}{path.removesuffix('.ipynb')}.html{anchor}"
    if path.endswith((".png", ".svg", ".jpg")):
        _copy_picture(root / path, out / path)
        return f"{page.up}{path}"
    return f"{address}/blob/HEAD/{path}{anchor}"


def _copy_picture(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
