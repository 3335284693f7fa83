"""Find what a class handed in: whose it is, which exercise it answers, which attempt counts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING

from unblocked.grading import answer
from unblocked.grading.classroom.files import (
    CANVAS,
    MOODLE,
    NOTHING,
    ONLINE_TEXT,
    SUFFIXES,
    File,
    Unreadable,
    files_in,
)
from unblocked.grading.classroom.roster import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from unblocked.grading.classroom.roster import Learner

_COPY = re.compile(r"( \(\d+\)|-Copy\d+)$")
"""What browsers and JupyterLab add to the name of a file that is there already."""
_ZIP = re.compile(r"\.zip$", re.I)
_OF_THE_COURSE = re.compile(
    r"(?:^|.*/)(?=(?:course/(?:exercises|lessons|deeper)/"
    r"|src/unblocked/|notebooks/(?:\d\d-|deeper/|side-by-side/|glossary\.)))"
)
"""The folders above a copy of the course, where a path leads into one."""
_BESIDE_EXERCISES = frozenset({
    "bench", "course", "jupyter", "solutions", "src", "start.py", "tests",
    "CONTRIBUTING.md", "INSTRUCTORS.md", "LICENSE", "README.md", "environment.yml",
    "pyproject.toml", "requirements.txt",
})  # fmt: skip
"""What else lies in a copy of the course, and is nobody's answer. Not `exercises`."""
OWN = "a file of the course"
MOST_LOOKED_INTO, MOST_BYTES = 1_000, 16 * answer.LARGEST
"""Of each learner: files that are read as their names leave open what they answer, and bytes."""


@dataclass(frozen=True)
class Submission:
    """One learner's attempt at one exercise."""

    learner: str
    exercise: str
    file: File
    learner_id: str = ""
    """The learning platform's own number for the learner, where the name of the file tells it."""
    platform: str = ""
    """Whose number that is."""
    attempt: int = 0
    doubt: str = ""
    """Why it may be no attempt at all: it counts where there is no other."""

    late: bool = False
    """Whether the platform marks it as late."""
    team: str = ""
    """The group that handed it in, whose members each have it."""

    listed: Learner | None = None
    """The learner's line in the roster, where there is one and only one."""
    unlisted: str = ""
    """Why there is none, if the roster has the name."""

    @property
    def person(self) -> Person:
        return Person(self.learner, self.platform, self.learner_id)

    @property
    def when(self) -> datetime | None:
        """When it was handed in; None where nothing says so.

        Moodle and copies of homes give files the time they were handed in, nbgrader writes it
        down, and Canvas gives out all files with the time of the download.
        """
        if submitted := self.file.submitted:
            with suppress(ValueError):
                return datetime.fromisoformat(submitted).replace(tzinfo=UTC)
        return None if self.platform == "canvas" else self.file.modified

    @property
    def rank(self) -> tuple[bool, int, datetime]:
        """Of a learner's attempts at an exercise the one that ranks highest counts."""
        return not self.doubt, self.attempt, self.file.modified


@dataclass
class Found:
    """What counts, and what does not, with the reason."""

    submissions: list[Submission]
    unplaced: list[tuple[str, str]]
    """(file, why it is not marked)."""
    crowds: list[str] = field(default_factory=list)
    """What counts as one learner, and holds what the platform names after several."""
    unmarkable: list[Submission] = field(default_factory=list)
    """What people handed in who have no attempt; `doubt` says why it is none."""


def find(
    folder: Path,
    slugs: Iterable[str],
    *,
    named: Callable[[list[Submission]], list[Submission]] = lambda placed: placed,
    leave_out: Path | None = None,
    only: str | None = None,
) -> Found:
    """All submissions below a folder (or in a zip): the newest attempt of each learner counts.

    `named` finds the learners' lines in the roster. What lies in `leave_out` is no submission.
    With `only`, answers to other exercises are left out without a word, as the files of the
    course always are, which learners hand in with their own.
    """
    looking, folder = _Looking(tuple(slugs), only), folder.resolve()
    found, placed, refused = Found([], []), [], []
    for file in files_in(folder, leave_out):
        place = looking.place(file)
        if isinstance(place, str):
            refused.append((file, place))
        else:
            placed.append(place)
    roots = {root for file in chain((one.file for one in placed), (f for f, _ in refused))
             if (root := looking.root(file)) is not None}  # fmt: skip
    placed = [one for one in placed if not looking.is_own(one.file, roots)]
    refused = [(f, why) for f, why in refused if why != OWN and not looking.is_own(f, roots)]
    if only is not None:
        placed = [one for one in placed if one.exercise == only]
    found.unplaced = [(file.shown, why) for file, why in refused]
    found.crowds = _crowds(looking, placed)
    failed = [one for file, why in refused if (one := looking.failed(file, why)) is not None]
    told = _told_apart(named([*placed, *failed]))
    _keep_the_newest([one for one in told if one.exercise], found)
    have = {one.learner for one in found.submissions}
    found.unmarkable = [one for one in told if not one.exercise and one.learner not in have]
    return found


def _crowds(looking: _Looking, placed: list[Submission]) -> list[str]:
    """Where below a folder, or in a zip, that is taken for a learner's lies a class's download."""
    numbers = defaultdict[str, set[str]](set)
    for one in placed:
        parts = looking.below(one.file.parts)
        named = [CANVAS.fullmatch(part) or MOODLE.fullmatch(part) for part in parts]
        if not named[0]:
            numbers[parts[0]] |= {by["id"] for by in named if by and by["id"]}
    return sorted(name for name, several in numbers.items() if len(several) > 1)


def _told_apart(placed: list[Submission]) -> list[Submission]:
    """Each learner under a name of their own: the roster's id, or what the files say.

    Two learners with one name carry the platform's number for them, too.
    """
    numbers = defaultdict(set)
    for one in placed:
        if one.learner_id and not one.listed:
            numbers[one.learner].add(one.person)
    names: dict[Learner | Person | str, str] = {}
    taken: set[str] = set()

    def key(one: Submission) -> Learner | Person | str:
        return one.listed or (one.person if len(numbers[one.learner]) > 1 else one.learner)

    for one in sorted(placed, key=lambda one: (not one.listed, one.person)):
        name = one.learner if one.listed is None else one.listed.id
        if isinstance(whose := key(one), Person) and one.learner_id:
            name = f"{one.learner}_{one.learner_id}"
        if whose not in names:
            names[whose] = _unlike(taken, name)
            taken.add(names[whose])
    return [replace(one, learner=names[key(one)]) for one in placed]


def _unlike(others: set[str], name: str) -> str:
    names = chain([name], (f"{name} ({n})" for n in count(2)))
    return next(free for free in names if free not in others)


def _keep_the_newest(placed: list[Submission], found: Found) -> None:
    attempts = defaultdict(list)
    for one in placed:
        attempts[one.learner, one.exercise].append(one)
    for of_one in attempts.values():
        *others, counts = sorted(of_one, key=lambda one: one.rank)
        found.submissions.append(counts)
        found.unplaced += [(other.file.shown, _why_less(other, counts)) for other in others]
    found.submissions.sort(key=lambda one: (one.exercise, one.learner))


def _why_less(other: Submission, counts: Submission) -> str:
    if other.doubt and not counts.doubt:
        return f"{other.doubt}; what counts is {counts.file.shown}"
    return f"a newer attempt counts: {counts.file.shown}"


class _Looking:
    """Finds out what files answer; reads those that do not say so by name, up to a bound."""

    def __init__(self, slugs: tuple[str, ...], only: str | None = None) -> None:
        self.slugs, self.only = slugs, only
        self._files: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()

    def place(self, file: File) -> Submission | str:
        """The submission that this file is, or why it is none."""
        if file.unusable:
            return file.unusable
        *folders, name = file.parts
        if self.root(file) is not None:
            return OWN
        if _is_canvas_test(file.parts[0]):
            return "Canvas's test student, who is nobody"
        if ONLINE_TEXT.fullmatch(name):
            return "text typed into the platform, and no file: have the notebook handed in"
        if name.lower().endswith(".zip"):
            return "a zip within a zip: unpack it, and put the files there"
        if not name.lower().endswith(SUFFIXES):
            return "neither a notebook nor Python"
        if own := _named_by(name, self.slugs):
            return self._submission(file, own)
        loosely = _named_loosely_by(name, self.slugs)
        if loosely and name.lower().endswith(".py"):
            return self._submission(file, loosely)
        by_folder = (_named_by(part, self.slugs) for part in reversed(folders))
        likely = loosely or next(filter(None, by_folder), "")
        try:
            inside = self._named_inside(file) & set(self.slugs)
        except Unreadable as why:
            return self._submission(file, likely, doubt=str(why)) if likely else str(why)
        if likely in inside:
            return self._submission(file, likely)
        if loosely:
            return self._submission(file, loosely, doubt=f"no cell of it is an answer to {loosely}")
        if len(inside) == 1:
            return self._submission(file, inside.pop())
        if likely:
            return self._submission(file, likely, doubt=f"only its folder names {likely}")
        if self.only is not None and not inside:
            return self._submission(file, self.only, doubt="it does not say what it answers")
        return (
            "it does not say what it answers: put the exercise into its name, or begin the answer "
            f"with the line # exercise: SLUG (there are {', '.join(self.slugs)})"
        )

    def _named_inside(self, file: File) -> set[str]:
        """What cells' own ids and marker lines name.

        Raises:
            Unreadable: it cannot be read, or enough of this learner's files have been.
        """
        whose = ("/".join(self.below(file.parts)[:1]), file.parts[-1].lower().rpartition(".")[2])
        if self._files[whose] >= MOST_LOOKED_INTO or self._bytes[whose] >= MOST_BYTES:
            raise Unreadable(
                "its name leaves open what it answers, and it was not looked into: "
                f"{self._files[whose]} such files of {whose[0]} were"
            )
        self._files[whose] += 1
        data = file.read()
        self._bytes[whose] += len(data)
        return _named_in(data, file.parts[-1])

    def _submission(self, file: File, exercise: str, *, doubt: str = "") -> Submission | str:
        parts = self.below(file.parts)
        first = unicodedata.normalize("NFC", parts[0])  # further down, learners choose names
        made = partial(Submission, exercise=exercise, file=file, doubt=doubt)
        if canvas := CANVAS.fullmatch(first):  # the file, or a zip that a learner handed in
            made = partial(made, attempt=int(canvas["attempt"] or 0), platform="canvas")
            if canvas["anonymous"]:
                whose, late = canvas["anonymous"], canvas["anonymously_late"]
                return made(f"anon_{whose}", learner_id=whose, late=bool(late))
            return made(canvas["who"], learner_id=canvas["id"], late=bool(canvas["late"]))
        if moodle := MOODLE.fullmatch(first):
            return made(moodle["who"], learner_id=moodle["id"] or "", platform="moodle")
        if len(parts) > 1:
            return made(_ZIP.sub("", first))
        stem = _COPY.sub("", first.rpartition(".")[0])
        learner = stem
        if exercise:
            learner = re.sub(rf"[-_. ]*{re.escape(exercise)}[-_. ]*", "", stem, count=1)
        return made(learner) if learner else "no learner is named"

    def failed(self, file: File, why: str) -> Submission | None:
        """Who handed in what cannot be marked; None where nobody did, or nothing was."""
        if why.endswith(NOTHING) or why.startswith("Canvas's test"):
            return None
        if len(file.parts) == 1 and not (CANVAS.fullmatch(file.parts[0]) or MOODLE.fullmatch(
            file.parts[0])) and not file.parts[0].lower().endswith(".zip"):  # fmt: skip
            return None  # beside the learners' folders: it may be anybody's
        made = self._submission(file, "", doubt=why)
        return None if isinstance(made, str) else made

    def root(self, file: File) -> tuple[str, ...] | None:
        """The folder of a copy of the course that this file is a part of; None if of none."""
        whose, *below = self.below(file.parts)
        found = _OF_THE_COURSE.match("/".join(below))
        return (whose, *filter(None, found[0].split("/"))) if found else None

    def is_own(self, file: File, roots: set[tuple[str, ...]]) -> bool:
        """Whether a file lies in one of these copies of the course, and is no exercise."""
        parts = self.below(file.parts)
        return any(
            parts[n] in _BESIDE_EXERCISES or parts[n].startswith(".")
            for n in range(1, len(parts))
            if parts[:n] in roots
        )

    def below(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """The same without the folder of an exercise, in which some keep a class's answers."""
        first, *below = parts
        return tuple(below) if below and _ZIP.sub("", first) in self.slugs else parts


def _is_canvas_test(name: str) -> bool:
    found = CANVAS.fullmatch(name)
    return bool(found and found["who"] in ("teststudent", "studenttest"))


def _named_by(part: str, slugs: tuple[str, ...]) -> str:
    """The exercise that the name of a file or a folder names, or ''."""
    stem = _stem(part)
    named = [slug for slug in slugs if re.search(rf"(?<![\w-]){slug}(?![\w-])|_{slug}$", stem)]
    return max(named, key=len, default="")


def _named_loosely_by(name: str, slugs: tuple[str, ...]) -> str:
    """The exercise that the name of a file begins or ends with, or ''."""
    stem = _stem(name)
    named = [s for s in slugs if stem.endswith((f"-{s}", f"_{s}")) or stem.startswith(s)]
    return max(named, key=len, default="")


def _stem(name: str) -> str:
    return _COPY.sub("", re.sub(r"(-\d+)?\.(ipynb|py|zip)$", "", name, flags=re.I))


def _named_in(data: bytes, name: str) -> set[str]:
    """The exercises that a file's cells or its first line name."""
    try:
        text = answer.text_of(data, name)
        if name.lower().endswith(".py"):
            return set(map(answer.marked, answer.script_cells(text)))
        cells = answer.code_cells(text, name)
    except answer.Unusable:
        return set()
    named = ((answer.grade_id(cell), answer.marked(answer.source_of(cell))) for cell in cells)
    return {name for pair in named for name in pair}
