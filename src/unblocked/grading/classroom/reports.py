"""What a class's marks become: tables for learning platforms, a page per learner, a summary."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import math
import re
from collections import Counter
from itertools import dropwhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from unblocked._files import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from unblocked.grading.classroom.roster import Learner, Roster

Result = dict[str, Any]
Row = tuple["Learner | None", str, str, "Result | None"]
"""A learner of the roster (or None), the learner's name or id, the exercise, the result or None."""

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
"""The columns of `nbgrader export`."""


def rows(
    results: Iterable[Result],
    roster: Roster | None,
    exercises: Sequence[str],
    listed: Mapping[str, Learner] = MappingProxyType({}),
) -> list[Row]:
    """One row per learner and exercise; learners of the roster without a result are absent.

    `listed` tells whose line of the roster a result's learner has: equal names do not.
    """
    by_key = {(r["learner"], r["exercise"]): r for r in results}
    if roster is None:
        return [(None, who, slug, result) for (who, slug), result in sorted(by_key.items())]
    ids = {learner.id for learner in roster.learners}
    named = {learner: who for who, learner in listed.items()}
    people: list[tuple[Learner | None, str, str | None]]
    people = [(x, x.id, named.get(x)) for x in roster.learners]
    for who in sorted({who for who, _ in by_key} - listed.keys()):
        people.append((None, f"{who} (not in the roster)" if who in ids else who, who))
    return [
        (x, shown, slug, by_key.get((who, slug)) if who is not None else None)
        for x, shown, who in people
        for slug in exercises
    ]


_INNER_FORMULA = re.compile(r"""([;\t\r\n|][\s"]*)(?=[=+@-])""")
"""What a spreadsheet takes for a cell's beginning when its own list separator is another."""


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet runs: what begins like a formula in it gets an apostrophe."""
    if not isinstance(value, str):
        return value
    text = _INNER_FORMULA.sub(r"\1'", value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n") else text


def write_table(path: Path, heading: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """A CSV file that no spreadsheet runs, whatever separates its cells.

    All cells are quoted: else one with a semicolon in it is two where that is the list separator.
    """
    file = io.StringIO(newline="")
    csv.writer(file).writerow([safe_cell(cell) for cell in heading])
    quoting = csv.writer(file, quoting=csv.QUOTE_ALL)
    quoting.writerows([safe_cell(cell) for cell in line] for line in lines)
    replace(path, file.getvalue().encode(errors="replace"))


def grades(path: Path, rows: Iterable[Row], max_points: Mapping[str, int]) -> None:
    """`grades.csv` in nbgrader's columns; the scores of an absent learner are empty."""
    write_table(path, NBGRADER, (_grade_line(row, max_points) for row in rows))


def _grade_line(row: Row, max_points: Mapping[str, int]) -> list[object]:
    learner, who, slug, result = row
    first, last, email = (learner.first, learner.last, learner.email) if learner else ("", "", "")
    points: object = result["points"] if result else ""
    when = result.get("submitted", "") if result else ""
    return [slug, "", when, who, last, first, email, points, 0.0, points, max_points[slug]]


def canvas(path: Path, rows: Sequence[Row], roster: Roster, max_points: Mapping[str, int]) -> bool:
    """A gradebook that Canvas imports: the roster's columns and one per exercise.

    None is written for a roster without any of Canvas's columns; returns whether one was.
    """
    keep = [c for c in roster.columns if c.lower() in _CANVAS_COLUMNS]
    if not keep:
        return False
    slugs = [slug for slug in max_points if any(row[2] == slug for row in rows)]
    points = {(x, slug): r["points"] for x, _, slug, r in rows if x and r}
    lines = (
        [*(x.row[c] for c in keep), *(points.get((x, slug), "") for slug in slugs)]
        for x in roster.learners
    )
    write_table(path, [*keep, *slugs], lines)
    return True


_CANVAS_COLUMNS = (
    "student", "lastname", "firstname", "id", "sis user id", "sis login id", "section",
    "root account",
)  # fmt: skip
"""With these names, and these first, its gradebook_importer takes a file for a gradebook."""


def moodle(
    folder: Path, rows: Sequence[Row], roster: Roster, max_points: Mapping[str, int]
) -> list[Path]:
    """Moodle's grading worksheets: the roster's columns, with the grade and a comment.

    One for each exercise, as Moodle takes a worksheet for one assignment: `moodle-SLUG.csv`, or
    `moodle.csv` where there is one exercise alone. Returns where they lie.
    """
    several = len(max_points) > 1
    paths = {s: folder / (f"moodle-{s}.csv" if several else "moodle.csv") for s in max_points}
    for slug, path in paths.items():
        _moodle(path, [row for row in rows if row[2] == slug], roster, max_points[slug])
    return list(paths.values())


def _moodle(path: Path, rows: Sequence[Row], roster: Roster, most: int) -> None:
    own = [c.lower() for c in _MOODLE_OWN]
    keep = [c for c in roster.columns if c.lower() not in own]
    lines = (
        [
            *(learner.row[c] for c in keep),
            *_scaled(result["points"] if result else "", most, learner.row),
            _one_line(result) if result else "",
        ]
        for learner, _, _, result in rows
        if learner
    )
    write_table(path, [*keep, *_MOODLE_OWN], lines)


def _scaled(points: int | str, most: int, row: Mapping[str, str]) -> tuple[object, object]:
    """The grade and its maximum: the worksheet's, as Moodle's import takes the grade alone."""
    given = next((value for name, value in row.items() if name.lower() == "maximum grade"), "")
    try:
        maximum = float(given.replace(",", "."))
    except ValueError:
        return points, most
    if not 0 < maximum < math.inf or maximum == most:
        return points, most
    return (points if isinstance(points, str) else round(points * maximum / most, 2)), given


_MOODLE_OWN = ("Grade", "Maximum Grade", "Feedback comments")
"""The columns that a worksheet of ours ends with; Moodle puts others between them."""


def _one_line(result: Result) -> str:
    missed = [check["name"] for check in result["checks"] if not check["passed"]]
    return "All criteria are met." if not missed else f"Not yet: {', '.join(missed)}."


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
html { background: light-dark(#fff, #14181f); color: light-dark(#1d2430, #e4e8ee) }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem;
border-bottom: 1px solid #8884; vertical-align: top } .n { text-align: right; white-space: nowrap }
.ok { color: light-dark(#00704f, #1fbf8f) } .no { color: light-dark(#b04a00, #ff8f3f) }
p, pre, .file { overflow-wrap: anywhere } pre { white-space: pre-wrap; margin: .2rem 0 }
.file { width: 50% }
meter { width: 12rem; max-width: 25vw }
"""


def _write_page(path: Path, title: str, body: str) -> None:
    replace(path, _page(title, body).encode(errors="replace"))


def _page(title: str, body: str) -> str:
    head = f"<meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    view = '<meta name=viewport content="width=device-width">'
    page = f"<head>{head}{view}</head><body><main>{body}</main></body>"
    return f"<!doctype html><html lang=en>{page}</html>\n"


def feedback(folder: Path, result: Result, who: str) -> Path:
    """A page for one learner and exercise, self-contained; returns where it lies."""
    path = folder / safe_name(result["learner"]) / f"{result['exercise']}.html"
    title = f"{result['exercise']}: {result['points']} of {result['max_points']} points"
    note = html.escape(str(result.get("note", "")))
    origin = f"{html.escape(who)} · {html.escape(result['file'])}"
    body = f"""<h1>{html.escape(title)}</h1><p>{origin}</p>
<meter value={result["points"]} max={result["max_points"]}></meter>
<p>{_OUTCOMES.get(result["outcome"], "")} {note}</p>
<table><tr><th>Criterion<th class=n>Points<th>What was seen</tr>
{"".join(map(_check, result["checks"]))}
</table><p>Marked {result["marked_at"]}, isolation: {html.escape(result["isolation"])}.</p>"""
    _write_page(path, title, body)
    return path


_OUTCOMES = {
    "no-answer": "There was no answer to mark.",
    "crashed": "The code could not be executed.",
    "timeout": "The code did not come to an end.",
    "out-of-memory": "The app took more memory than an answer may have.",
}


def _check(check: dict[str, Any]) -> str:
    kind, sign = ("ok", "✓") if check["passed"] else ("no", "✗")
    name, message = html.escape(check["name"]), html.escape(check["message"])
    points = f"{check['points']}/{check['max_points']}"
    return f"<tr><td class={kind}>{sign} {name}<td class=n>{points}<td><pre>{message}</pre></tr>"


LONGEST_NAME = 200
"""Bytes of a name that become a file's: most file systems take 255."""


def safe_name(name: str) -> str:
    """A file name for anybody's name: no path, no surprise, and never twice the same."""
    plain = re.sub(r"[^\w.,+@ -]", "_", name).strip(" .")
    plain = plain.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(" .")
    if plain and plain == name:
        return plain
    raw = name.encode(errors="surrogatepass")
    return f"{plain or 'learner'}-{hashlib.sha256(raw).hexdigest()[:8]}"


def remove_stale(folder: Path, written: Collection[Path], slugs: Collection[str]) -> None:
    """Remove what an earlier run wrote into a folder of marks, and this one did not.

    What was not recognisably made here is left alone, whatever its name is.
    """
    worksheets = {folder / f"moodle{of}.csv" for of in ("", *(f"-{slug}" for slug in slugs))}
    gradebook = folder / "canvas.csv"
    pages = set((folder / "feedback").glob("*/*.html"))
    left = (worksheets | pages | {gradebook}).difference(written)
    stale = [path for path in left & worksheets if _is_worksheet(path)]
    stale += [path for path in left & {gradebook} if _is_gradebook(path, slugs)]
    stale += [path for path in left & pages if _is_page(path)]
    now = {_identity(path) for path in written} if stale else set()
    for path in stale:
        if _identity(path) in now:  # one file: names that differ may be one name on its disk
            continue
        path.unlink()
        if path in pages and not any(path.parent.iterdir()):
            path.parent.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_worksheet(path: Path) -> bool:
    return tuple(_heading(path)[-len(_MOODLE_OWN) :]) == _MOODLE_OWN


def _is_gradebook(path: Path, slugs: Collection[str]) -> bool:
    columns = _heading(path)
    marks = list(dropwhile(lambda column: column.lower() in _CANVAS_COLUMNS, columns))
    return 0 < len(marks) < len(columns) and set(marks) <= set(slugs)


def _heading(path: Path) -> list[str]:
    return next(csv.reader([_beginning(path).partition("\n")[0]]), [])


def _is_page(path: Path) -> bool:
    title = rf"{re.escape(path.stem)}: \d+ of \d+ points"
    head = _page(title, "").partition("</title>")[0]
    return not path.parent.is_symlink() and bool(re.match(head, _beginning(path)))


def _beginning(path: Path) -> str:
    """How a file begins; '' of what is none, and of a link, whose file is another's."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(4096)


def summary(
    path: Path,
    rows: Sequence[Row],
    unplaced: Sequence[tuple[str, str]],
    remarks: Sequence[str] = (),
) -> None:
    """The class at a glance: marks per exercise, which criterion fails most, what is unplaced."""
    parts = ["<h1>The class at a glance</h1>"]
    parts += [f"<p><strong>{html.escape(remark)}</strong></p>" for remark in remarks]
    empty = [(r["file"], _first_message(r)) for *_, r in rows if r and not _holds_answer(r)]
    if empty:
        parts.append(f"<h2>No answer was found, so 0 points</h2>{_files_table(empty)}")
    slugs = dict.fromkeys(row[2] for row in rows)
    parts += [_exercise_summary(slug, [row for row in rows if row[2] == slug]) for slug in slugs]
    if unplaced:
        parts.append(f"<h2>Not marked</h2>{_files_table(unplaced)}")
    _write_page(path, "The class at a glance", "\n".join(parts))


def _files_table(files: Iterable[tuple[str, str]]) -> str:
    lines = (
        f"<tr><td class=file>{html.escape(name)}<td>{html.escape(why)}</tr>" for name, why in files
    )
    return f"<table>{''.join(lines)}</table>"


def _holds_answer(result: Result) -> bool:
    return bool(result["outcome"] != "no-answer")


def _first_message(result: Result) -> str:
    return next((str(check["message"]) for check in result["checks"]), "")


def _exercise_summary(slug: str, rows: Sequence[Row]) -> str:
    results = [result for *_, result in rows if result]
    failed: Counter[str] = Counter()
    for result in filter(_holds_answer, results):
        failed.update({c["name"]: int(not c["passed"]) for c in result["checks"]})
    empty = sum(not _holds_answer(result) for result in results)
    lines = "".join(
        f"<tr><td>{html.escape(name)}<td class=n>{count}<td><meter value={count} "
        f"max={max(1, len(results) - empty)}></meter></tr>"
        for name, count in failed.most_common()
    )
    full = sum(r["points"] == r["max_points"] for r in results)
    absent = len(rows) - len(results)
    return (
        f"<h2>{html.escape(slug)}</h2><p>{len(results)} marked, {full} with full marks, "
        f"{empty} without an answer; {absent} absent.</p>"
        f"<table><tr><th>Criterion<th class=n>Failed<th>Share</tr>{lines}</table>"
    )
