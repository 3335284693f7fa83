"""The class at a glance: who has what, and what to teach next week."""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from unblocked.grading.classroom import pages
from unblocked.grading.classroom.reports import (
    ABSENT,
    MARKED,
    NOT_ATTEMPTED,
    NOT_MARKABLE,
    OVERRIDDEN,
    STANDINGS,
    Kept,
    Result,
    Row,
    safe_name,
    standing,
    why_not,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BINS = 5
"""Bars of a distribution; full marks have one of their own beside them."""
SHOWN_ALIKE = 3
"""Answers of a group alike that are shown side by side; the others are named."""
LONGEST_SHOWN = 6_000


class Cause(NamedTuple):
    """What was seen in several answers, numbers apart, and in whose."""

    seen: str
    criteria: tuple[str, ...]
    learners: tuple[str, ...]


def summary(
    path: Path,
    rows: Sequence[Row],
    unplaced: Sequence[tuple[str, str]],
    remarks: Sequence[str] = (),
    kept: Sequence[Kept] = (),
    sources: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Write the page: marks, distributions, failures by what was seen, answers that are alike.

    `sources` holds the text of answers by learner and exercise, for those that are shown.
    """
    parts = ["<h1>The class at a glance</h1>"]
    parts += [f"<p><strong>{_text(remark)}</strong></p>" for remark in remarks]
    parts.append(_standings(rows))
    failed = [(_name(row), why_not(row)) for row in rows if standing(row) == NOT_MARKABLE]
    if failed:
        parts.append(f"<h2>Handed in, and not markable</h2>{_pairs('Learner', failed)}")
    if kept:
        lines = [
            (one.learner.name or one.learner.id,
             f"{one.exercise}: the list holds {one.held}, the grader gave {one.ours}")
            for one in kept
        ]  # fmt: skip
        parts.append(f"<h2>Kept as the list holds it</h2>{_pairs('Learner', lines)}")
    slugs = dict.fromkeys(row.slug for row in rows)
    for slug in slugs:
        parts.append(_exercise(slug, [row for row in rows if row.slug == slug], sources or {}))
    parts.append(_everybody(rows))
    if unplaced:
        parts.append(f"<h2>Not marked</h2>{_pairs('File', unplaced)}")
    pages.write(path, "The class at a glance", "\n".join(parts) + _SCRIPT)


def _text(text: object) -> str:
    return html.escape(str(text))


def _name(row: Row) -> str:
    return (row.learner.name if row.learner else "") or row.who


def _pairs(first: str, lines: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><td class=file>{_text(a)}<td>{_text(b)}</tr>" for a, b in lines)
    heading = f"<thead><tr><th scope=col>{first}<th scope=col>Why</tr></thead>"
    return f"<table>{heading}<tbody>{body}</tbody></table>"


def counts(rows: Sequence[Row]) -> Counter[str]:
    """How many rows have which standing."""
    return Counter(map(standing, rows))


def _standings(rows: Sequence[Row]) -> str:
    slugs = dict.fromkeys(row.slug for row in rows)
    heading = "".join(f"<th scope=col class=n>{word}" for word in STANDINGS)
    lines = []
    for slug in slugs:
        found = counts([row for row in rows if row.slug == slug])
        cells = "".join(f"<td class=n>{found[word]}" for word in STANDINGS)
        lines.append(f"<tr><th scope=row>{_text(slug)}{cells}</tr>")
    return (
        f"<table><thead><tr><th scope=col>Exercise{heading}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _exercise(slug: str, rows: Sequence[Row], sources: Mapping[tuple[str, str], str]) -> str:
    judged = [row for row in rows if row.result and row.result["checks"] and _was_judged(row)]
    results = [row.result for row in judged if row.result]
    said = [f"<h2>{_text(slug)}</h2>"]
    found = counts(rows)
    full = sum(r["points"] >= r["max_points"] for r in results)
    said.append(
        f"<p>{found[MARKED] + found[OVERRIDDEN]} marked, {full} with full marks; "
        f"{found[NOT_ATTEMPTED]} not attempted, {found[NOT_MARKABLE]} not markable, "
        f"{found[ABSENT]} absent.</p>"
    )
    if results:
        said += [_distribution(results), _criteria(results), _causes(causes(judged))]
    said.append(_alike(slug, judged, sources))
    return "".join(said)


def _was_judged(row: Row) -> bool:
    return row.result is not None and row.result["outcome"] != "no-answer"


def _distribution(results: Sequence[Result]) -> str:
    """How many have how many points, in parts of the maximum that are alike in width."""
    shares = [r["points"] / r["max_points"] if r["max_points"] else 1.0 for r in results]
    bins = Counter(BINS if share >= 1 else int(share * BINS) for share in shares)
    names = [f"{n * 100 // BINS} to under {(n + 1) * 100 // BINS} %" for n in range(BINS)]
    lines = "".join(
        _bar(name, bins[n], len(results)) for n, name in enumerate([*names, "full marks"])
    )
    points = sorted(r["points"] for r in results)
    middle = points[len(points) // 2]
    mean = sum(points) / len(points)
    most = results[0]["max_points"]
    return (
        f"<p>Median {middle:g}, mean {mean:.1f} of {most} points.</p>"
        "<table><thead><tr><th scope=col>Points<th scope=col class=n>Learners<th scope=col>Share"
        f"</tr></thead><tbody>{lines}</tbody></table>"
    )


def _bar(name: str, count: int, total: int) -> str:
    label = f'aria-label="{_text(name)}: {count} of {total}"'
    return (
        f"<tr><td>{_text(name)}<td class=n>{count}"
        f"<td><meter value={count} max={total} {label}></meter></tr>"
    )


def _criteria(results: Sequence[Result]) -> str:
    """Percent passed of each criterion, the hardest first."""
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for check in (check for result in results for check in result["checks"]):
        total[check["name"]] += 1
        passed[check["name"]] += bool(check["passed"])
    lines = []
    for name in sorted(total, key=lambda name: passed[name] / total[name]):
        percent = round(100 * passed[name] / total[name])
        label = f'aria-label="{_text(name)}: {percent} percent passed"'
        lines.append(
            f"<tr><td>{_text(name)}<td class=n>{total[name] - passed[name]}<td class=n>{percent} %"
            f"<td><meter value={percent} max=100 {label}></meter></tr>"
        )
    return (
        "<table><thead><tr><th scope=col>Criterion<th scope=col class=n>Failed"
        "<th scope=col class=n>Passed<th scope=col>Share</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


_SAW = re.compile(r"^Saw: (.*)$", re.M)


def what_was_seen(message: str) -> str:
    """What a message says was seen, without the numbers that differ from run to run."""
    found = _SAW.search(message)
    text = found[1] if found else message.partition("\n")[0]
    text = re.sub(r"'[^']*\d[^']*'", "'…'", text)
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b|\d+(?:[.,]\d+)*", "N", text)
    return re.sub(r"\bN(?:, N)+\b", "N, …", text).strip()[:300]


def causes(rows: Sequence[Row]) -> list[Cause]:
    """Failures by what was seen, the commonest first; a learner counts once for each."""
    who = defaultdict[str, dict[str, None]](dict)
    criteria = defaultdict[str, dict[str, None]](dict)
    for row in rows:
        for check in (row.result or {"checks": []})["checks"]:
            if not check["passed"]:
                seen = what_was_seen(check["message"])
                who[seen][_name(row)] = None
                criteria[seen][check["name"]] = None
    found = [Cause(seen, tuple(criteria[seen]), tuple(names)) for seen, names in who.items()]
    return sorted(found, key=lambda cause: -len(cause.learners))


def _causes(found: Sequence[Cause]) -> str:
    if not found:
        return ""
    lines = "".join(
        f"<tr><td class=n>{len(c.learners)}<td>{_text(c.seen)}<td>{_text(', '.join(c.criteria))}"
        f"<td>{_names(c.learners)}</tr>"
        for c in found
    )
    return (
        "<h3>What was seen, and in whose answers</h3>"
        "<p>A number that differs from answer to answer stands as N.</p>"
        "<table><thead><tr><th scope=col class=n>Learners<th scope=col>Seen"
        f"<th scope=col>Criteria<th scope=col>Who</tr></thead><tbody>{lines}</tbody></table>"
    )


def _names(names: Sequence[str], shown: int = 6) -> str:
    if len(names) <= shown:
        return _text(", ".join(names))
    return (
        f"<details><summary>{_text(', '.join(names[:shown]))}, …</summary>"
        f"{_text(', '.join(names[shown:]))}</details>"
    )


def alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Answers of several learners that differ in names of their own and in layout alone.

    Members of a team hand in one file, and are one here.
    """
    groups = defaultdict[str, list[Row]](list)
    for row in rows:
        if row.result and row.result.get("alike"):
            groups[row.result["alike"]].append(row)
    found = []
    for group in groups.values():
        files = {row.result["file"]: row for row in group if row.result}
        if len(files) > 1:
            found.append(list(files.values()))
    return sorted(found, key=len, reverse=True)


def _alike(slug: str, rows: Sequence[Row], sources: Mapping[tuple[str, str], str]) -> str:
    groups = alike(rows)
    if not groups:
        return ""
    said = [
        "<h3>Answers that are alike</h3><p>They differ in names, comments and layout at most. "
        "Short answers may well be: look at them before you say anything.</p>"
    ]
    for group in groups:
        said.append(f"<p>{len(group)} answers: {_names([_name(row) for row in group])}</p>")
        said.append("<details><summary>Side by side</summary><div class=side>")
        for row in group[:SHOWN_ALIKE]:
            who = row.result["learner"] if row.result else row.who
            text = sources.get((who, slug), "")[:LONGEST_SHOWN]
            said.append(
                f"<div><h4>{_text(_name(row))}</h4><pre tabindex=0>{_text(text)}</pre></div>"
            )
        said.append("</div></details>")
    return "".join(said)


def _everybody(rows: Sequence[Row]) -> str:
    """A table to search and to sort, with a link to each page."""
    lines = []
    for row in rows:
        found, result = standing(row), row.result
        points = f"{result['points']:g}" if result else ""
        name = _text(_name(row))
        if result:
            page = f"feedback/{safe_name(result['learner'])}/{row.slug}.html"
            name = f'<a href="{_text(_quoted(page))}">{name}</a>'
        late = _text((result or {}).get("late", ""))
        lines.append(
            f"<tr><td>{name}<td>{_text(row.slug)}<td class=n>{points}<td>{found}<td>{late}</tr>"
        )
    names = ("Learner", "Exercise", "Points", "Status", "Late")
    heading = "".join(f"<th scope=col><button type=button>{name}</button>" for name in names)
    return (
        "<h2>Everybody</h2><p class=screen><label>Search <input type=search id=search></label></p>"
        f"<table id=everybody><thead><tr>{heading}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)


_SCRIPT = """<script>
const table = document.getElementById("everybody"), body = table.tBodies[0];
document.getElementById("search").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase();
  for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(words);
});
table.tHead.querySelectorAll("button").forEach((button, column) => {
  button.addEventListener("click", () => {
    const cell = button.parentElement, up = cell.ariaSort !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
    cell.ariaSort = up ? "ascending" : "descending";
    const rows = [...body.rows].sort((a, b) => a.cells[column].textContent.localeCompare(
      b.cells[column].textContent, undefined, {numeric: true}));
    body.append(...(up ? rows : rows.reverse()));
  });
});
</script>"""
