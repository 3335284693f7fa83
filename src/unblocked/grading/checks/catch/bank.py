"""The apps that tests are judged by: right ones, and mutants of them with one bug each.

`apps/right/*.py` are whole apps. `apps/wrong.toml` says of each wrong one which right app it is
made of, and what is changed in it: so it has its bug and nothing else to be recognised by.
"""

from __future__ import annotations

import random
import re
import secrets
import tomllib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_NEWLINES = ("\n", "")
_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"cache-control": "no-store"},
    {"x-content-type-options": "nosniff"},
    {"vary": "accept"},
    {"cache-control": "no-cache", "x-frame-options": "DENY"},
)
_ERRORS = ("Bad Gateway", "upstream failed", "an upstream call failed", "no answer", "failed")


@dataclass(frozen=True)
class Kind:
    """A kind of bug: the criterion's name, and a hint for those whose tests let it pass."""

    name: str
    hint: str


@dataclass(frozen=True)
class App:
    """An app, right (`kind` is "") or with one bug; `bug` says which."""

    name: str
    source: str
    kind: str = ""
    bug: str = ""

    @staticmethod
    def looks() -> dict[str, Any]:
        """What an app may be recognised by, drawn anew for each run: names that it reads."""
        return {
            "NEWLINE": random.choice(_NEWLINES),
            "HEADERS": random.choice(_HEADERS),
            "ERROR": f"{random.choice(_ERRORS)} {secrets.token_hex(random.randrange(5))}".strip(),
        }


@dataclass(frozen=True)
class Bank:
    """All apps of a room, and the kinds of bugs among them."""

    kinds: tuple[Kind, ...]
    right: tuple[App, ...]
    wrong: tuple[App, ...]


def read_bank(folder: Path) -> Bank:
    """Read the folder `apps/` of a room; in a learners' copy it is `apps.zip`.

    Raises:
        ValueError: a change does not fit the app that it is made to, or is of no kind.
    """
    texts = _texts(folder)
    named = re.compile(r"right/(\w+)\.py")
    right = {match[1]: text for path, text in texts.items() if (match := named.fullmatch(path))}
    found = tomllib.loads(texts["wrong.toml"])
    kinds = tuple(Kind(kind["name"], kind["hint"]) for kind in found["kind"])
    names = {kind.name for kind in kinds}
    wrong = tuple(_changed(right, names, app) for app in found["app"])
    return Bank(kinds, tuple(App(name, source) for name, source in right.items()), wrong)


def _texts(folder: Path) -> dict[str, str]:
    """The files by their paths below the folder, sorted."""
    if (packed := folder.with_suffix(".zip")).is_file():
        with zipfile.ZipFile(packed) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}
    paths = sorted((*folder.glob("right/*.py"), folder / "wrong.toml"))
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def _changed(right: dict[str, str], kinds: set[str], app: dict[str, str]) -> App:
    name, of, old = app["name"], app["of"], app["old"].strip("\n")
    if app["kind"] not in kinds:
        raise ValueError(f"{name}: there is no kind {app['kind']!r}")
    if of not in right:
        raise ValueError(f"{name}: there is no right app {of!r}")
    if right[of].count(old) != 1:
        raise ValueError(f"{name}: {old!r} stands in right/{of}.py {right[of].count(old)} times")
    source = right[of].replace(old, app["new"].strip("\n"))
    compile(source, f"{name}.py", "exec")
    return App(name, source, app["kind"], app["bug"])
