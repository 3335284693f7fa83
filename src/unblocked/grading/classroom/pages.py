"""The page that a learner reads on an answer, and the zips that bring it to a platform."""

from __future__ import annotations

import html
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from unblocked._files import replace
from unblocked.grading import attempt
from unblocked.grading.classroom.reports import Result, Row, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
html { background: light-dark(#fff, #14181f); color: light-dark(#1d2430, #e4e8ee) }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: .8rem 0 }
td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884;
vertical-align: top; overflow-wrap: anywhere } .n { text-align: right } td.n { white-space: nowrap }
@media (max-width: 40rem) { td, th { padding: .3rem .2rem; font-size: .85rem } }
.ok { color: light-dark(#00604a, #3fd0a4) } .no { color: light-dark(#9a3f00, #ffa766) }
h1, h2, h3, h4, p, pre, summary { overflow-wrap: anywhere }
pre { white-space: pre-wrap; margin: .2rem 0 }
.file { width: 50% }
meter { width: 10rem; max-width: 15vw }
.side { display: flex; gap: 1rem; flex-wrap: wrap } .side > div { flex: 1 1 20rem; min-width: 0 }
.side pre { border: 1px solid #8884; padding: .5rem; font-size: .8rem }
th button { font: inherit; background: none; border: 0; padding: 0; color: inherit;
cursor: pointer; text-decoration: underline }
@media print { body { max-width: none; margin: 0; font-size: 11px } .screen { display: none }
tr, .side > div { break-inside: avoid } }
"""


def write(path: Path, title: str, body: str) -> None:
    """Write a page that needs no other file."""
    replace(path, page(title, body).encode(errors="replace"))


def page(title: str, body: str) -> str:
    """A whole page."""
    head = f"<meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    view = '<meta name=viewport content="width=device-width">'
    main = f"<main>{body}</main>" if body else ""
    return f"<!doctype html><html lang=en><head>{head}{view}</head><body>{main}</body></html>\n"


def feedback(folder: Path, result: Result, who: str) -> Path:
    """A page for one learner and exercise, self-contained; returns where it lies."""
    path = folder / safe_name(result["learner"]) / f"{result['exercise']}.html"
    write(path, title_of(result), body_of(result, who))
    return path


def title_of(result: Result) -> str:
    """What the page on a result is called."""
    points = f"{result['points']:g} of {result['max_points']} points"
    return f"{result['exercise']}: {points}"


def body_of(result: Result, who: str) -> str:
    """The page on a result, without what surrounds every page."""
    title, note = html.escape(title_of(result)), html.escape(str(result.get("note", "")))
    origin = " · ".join(filter(None, (html.escape(who), html.escape(result["file"]))))
    label = f'aria-label="{title}"'
    marked = f"<p>Marked {result['marked_at']}, isolation: {html.escape(result['isolation'])}.</p>"
    return f"""<h1>{title}</h1><p>{origin}</p>
<meter value={result["points"]:g} max={result["max_points"]} {label}></meter>
{_by_hand(result)}<p>{_outcome(result)} {note}</p>
{_table(result["checks"])}{marked if result["checks"] else ""}"""


def _by_hand(result: Result) -> str:
    """What is not the grader's: an override, a penalty."""
    said = []
    if "override" in result:
        comment = f" {result['comment']}" if result.get("comment") else ""
        instead = f" The grader gave {result['raw']:g}." if result["checks"] else ""
        said.append(f"Set by hand (override).{instead}{comment}")
    if result.get("late"):
        penalty = result.get("penalty", 0)
        less = f" {penalty:g} points were taken off {result['raw']:g}." if penalty else ""
        said.append(f"Handed in late: {result['late']}.{less}")
    return "".join(f"<p><strong>{html.escape(text)}</strong></p>" for text in said)


def _table(checks: list[dict[str, Any]]) -> str:
    if not checks:
        return ""
    heading = (
        "<thead><tr><th scope=col>Criterion<th scope=col class=n>Points"
        "<th scope=col>What was seen</tr></thead>"
    )
    return f"<table>{heading}<tbody>{''.join(map(_check, checks))}</tbody></table>"


_OUTCOMES = {
    "no-answer": "There was no answer to mark.",
    "crashed": "The code could not be executed.",
    "timeout": "The code did not come to an end.",
    "out-of-memory": "The app took more memory than an answer may have.",
}


def _outcome(result: Result) -> str:
    first = next((check["message"] for check in result["checks"]), "")
    if first == attempt.NOT_ATTEMPTED:
        return attempt.NOT_ATTEMPTED
    return _OUTCOMES.get(result["outcome"], "")


def _check(check: dict[str, Any]) -> str:
    kind, sign = ("ok", "✓") if check["passed"] else ("no", "✗")
    name, message = html.escape(check["name"]), html.escape(check["message"])
    points = f"{check['points']}/{check['max_points']}"
    return f"<tr><td class={kind}>{sign} {name}<td class=n>{points}<td><pre>{message}</pre></tr>"


def for_moodle(
    folder: Path, rows: Iterable[Row], numbers: Mapping[tuple[str, str], str], slugs: list[str]
) -> list[Path]:
    """Zips that Moodle takes by *Upload multiple feedback files in a zip*; where they lie.

    A file in it is called `NAME_ID_assignfeedback_file/x.html`, which is what Moodle's importer
    (`mod/assign/feedback/file/importziplib.php`) looks for: the number between the first two
    underscores is the participant's. `numbers` tells it by learner and exercise.
    """
    several = len(slugs) > 1
    made = []
    table = list(rows)
    for slug in slugs:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for row in table:
                number = row.result and numbers.get((row.result["learner"], slug))
                if row.slug == slug and row.result and number:
                    who = row.learner.name if row.learner else row.who
                    name = re.sub(r"[^\w.,+@ -]|_", " ", who).strip() or "learner"
                    text = page(title_of(row.result), body_of(row.result, who))
                    inside = f"{name}_{number}_assignfeedback_file/{slug}.html"
                    archive.writestr(inside, text.encode(errors="replace"))
            empty = not archive.namelist()
        if not empty:
            path = folder / (f"feedback-moodle-{slug}.zip" if several else "feedback-moodle.zip")
            replace(path, content.getvalue())
            made.append(path)
    return made


def for_nbgrader(folder: Path, rows: Iterable[Row]) -> int:
    """Pages where `nbgrader release_feedback` looks: `LEARNER/SLUG/SLUG.html`; how many."""
    count = 0
    for row in rows:
        if row.result is not None:
            who = row.learner.name if row.learner else row.who
            path = folder / safe_name(row.result["learner"]) / row.slug / f"{row.slug}.html"
            write(path, title_of(row.result), body_of(row.result, who))
            count += 1
    return count
