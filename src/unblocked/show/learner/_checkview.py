"""Shows a mark: a line per criterion as it comes, the points, and hints on request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from unblocked.show._frontend import Slot, in_kernel
from unblocked.verdicts import Check, Printed, is_full, line, once_more, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from unblocked.show._frontend import Bundle

Solutions = list[tuple[str, str]]
"""Heading and code of each."""

_SIGNS = {None: "…", True: "✓", False: "✗"}
_COLOURS = {None: "inherit", True: "#009e73", False: "#d55e00"}


class CheckView(Protocol):
    """Shows a mark while it is made. May be called from any thread, one call at a time."""

    def update(self, check: Check) -> None:
        """Show that a criterion is decided; `check` has the keys of `verdicts.Check`."""

    def again(self, criteria: int) -> None:
        """Show that so many criteria are about to be judged a second time, alone."""

    def finish(self, result: dict[str, Any]) -> None:
        """Show that all is decided; `result` is what `check` returns."""


def check_view(
    slug: str,
    title: str,
    criteria: Sequence[str],
    hints: Sequence[str] = (),
    slot: Slot | None = None,
    *,
    told: str = "",
    own: str = "",
    others: Callable[[], Solutions] = list,
) -> CheckView:
    """Return a view for one marking of the exercise `slug`, shown at once with all criteria
    waiting.

    It takes the place of what `slot` shows, if there is one.

    In a notebook it is a page in the cell's output that changes in place, is saved with the
    notebook and needs no trust; elsewhere the lines are printed.

    Args:
        hints: Markdown text; they are offered one by one, unless all points were reached. First
            come those that say by a comment `<!-- for: NAME, NAME -->` that they fit what failed.
        told: what is said of the answer below the heading, such as when it was run.
        own: the answer's code; beside it stand, after full marks, what `others` returns.
        others: called after full marks: heading and code of each solution to compare with.
    """
    if in_kernel():
        about = _About(slug, title, list(hints), told, own, others)
        return _PageView(about, list(criteria), slot or Slot())
    if told:
        print(told)
    return _TextView(slug, title, list(criteria), list(hints))


@dataclass(frozen=True, slots=True)
class _About:
    """What a view is told once, at the beginning."""

    slug: str
    title: str
    hints: list[str]
    told: str
    own: str
    others: Callable[[], Solutions]


def notice(title: str, what: str) -> Bundle:
    """Return a sentence to show before a view has any criteria."""
    html = f'<p role="status"><b>{escape(title)}</b>: {escape(what)}</p>'
    return {"text/plain": f"{title}: {what}", "text/html": html}


class _TextView(Printed):
    """Prints a line for each criterion when it is decided, and mentions the hints at the end."""

    def __init__(self, slug: str, title: str, criteria: list[str], hints: list[str]) -> None:
        super().__init__()
        self._hints = hints
        print(f"{title} ({slug}): {len(criteria)} criteria")

    def finish(self, result: dict[str, Any]) -> None:
        print(total(result))
        if self._hints and not is_full(result):
            print(f"There are {len(self._hints)} hints at the end of the exercise.")


class _PageView:
    """A page that is shown again, in place, at each change."""

    def __init__(self, about: _About, criteria: list[str], slot: Slot) -> None:
        self._about = about
        self._checks: dict[str, Check | None] = dict.fromkeys(criteria)
        self._again = ""
        self._result: dict[str, Any] | None = None
        self._slot = slot
        self._show()

    def update(self, check: Check) -> None:
        self._checks[check["name"]] = check
        self._show()

    def again(self, criteria: int) -> None:
        self._again = once_more(criteria)
        self._show()

    def finish(self, result: dict[str, Any]) -> None:
        self._checks.update({check["name"]: check for check in result.get("checks", [])})
        self._result = result
        self._show()

    def _show(self) -> None:
        self._slot.put({"text/plain": self._text(), "text/html": self._html()})

    def _text(self) -> str:
        lines = [f"{self._about.title} ({self._about.slug})", *self._on_top()]
        lines += [
            f"{self._waiting()}  {name}"
            if check is None or self._is_untried()
            else line(self._brief(check))
            for name, check in self._checks.items()
        ]
        return "\n".join([*lines, self._summary()])

    def _is_untried(self) -> bool:
        """Return whether there was no answer: nothing failed then, as nothing was tried."""
        return self._result is not None and self._result.get("outcome") == "no-answer"

    def _waiting(self) -> str:
        if self._is_untried():
            return "not tried"
        return "waiting" if self._result is None else "not reached"

    def _summary(self) -> str:
        if self._result is not None:
            return total(self._result)
        if self._again:
            return f"{self._again} {self._points():g} points so far"
        decided = sum(check is not None for check in self._checks.values())
        return (
            f"{decided} of {len(self._checks)} criteria decided, {self._points():g} points so far"
        )

    def _points(self) -> float:
        return sum(float(check["points"]) for check in self._checks.values() if check)

    def _reason(self) -> str:
        """Return why nothing could be judged, as the first criterion tells it; '' when it could."""
        result = self._result or {}
        first, *others = result.get("checks") or [{}]
        if result.get("outcome") == "graded" or first.get("passed", True):
            return ""
        judged = any(not str(check["message"]).startswith("Not judged") for check in others)
        return "" if judged else str(first["message"] or "")

    def _on_top(self) -> list[str]:
        """Return what concerns the answer as a whole, each said once."""
        note = str((self._result or {}).get("note") or "")
        first = f"Change the cell that begins `# exercise: {self._about.slug}`, and run it. "
        step = f"{first}Then run this cell again." if self._is_untried() else ""
        return [text for text in (self._about.told, self._reason(), step, note) if text]

    def _brief(self, check: Check) -> Check:
        """Return a criterion's row, without the reason that stands on top for all of them."""
        return {**check, "message": ""} if self._reason() else check

    def _html(self) -> str:
        rows = "".join(self._row(name, check) for name, check in self._checks.items())
        head = f"<b>{escape(self._about.title)}</b>: {escape(self._summary())}"
        on_top = "".join(f"<p>{_message(text)}</p>" for text in self._on_top())
        return (
            f'<div style="max-width:60em"><p role="status">{head}{self._bar()}</p>{on_top}'
            f'<table style="width:100%"><tbody>{rows}</tbody></table></div>{self._more()}'
        )

    def _bar(self) -> str:
        """Points as a bar: what is reached, of all that the decided criteria could give."""
        most = float((self._result or {}).get("max_points") or 0)
        whole = most or sum(float(c["max_points"]) for c in self._checks.values() if c)
        share = 100 * self._points() / whole if whole else 0
        # While criteria wait, their points are not known: the bar is cut to the share that is
        # decided.
        if self._result is None:
            known = sum(check is not None for check in self._checks.values())
            share *= known / max(len(self._checks), 1)
        return (
            '<div aria-hidden="true" style="height:10px;margin-top:6px;border-radius:5px;'
            'background-color:#8884;overflow:hidden"><div style="height:10px;'
            f'width:{share:.0f}%;background-color:#009e73"></div></div>'
        )

    def _row(self, name: str, check: Check | None) -> str:
        passed = None if check is None or self._is_untried() else bool(check["passed"])
        word = {None: self._waiting(), True: "passed", False: "failed"}[passed]
        sign = "○" if self._is_untried() else _SIGNS[passed]
        sign = f'<b style="color:{_COLOURS[passed]}">{sign}&nbsp;{word}</b>'
        points = f"{check['points']:g}&nbsp;/&nbsp;{check['max_points']:g}" if check else ""
        said = self._brief(check)["message"] if check else ""
        message = f"<br>{_message(said)}" if said else ""
        cells = (sign, f"<b>{escape(name)}</b>{message}", points)
        styled = zip(cells, _WIDTHS, strict=True)
        return "<tr>" + "".join(_cell(cell, width) for cell, width in styled) + "</tr>"

    def _more(self) -> str:
        if self._result is None:
            return ""
        if is_full(self._result):
            return _beside(self._about.own, self._about.others())
        failed = [name for name, check in self._checks.items() if check and not check["passed"]]
        hints = _nested_hints([] if self._reason() else failed, self._about.hints)
        return f'<div style="max-width:60em">{hints}</div>'


_WIDTHS = ("7em", "auto", "4em")


def _cell(content: str, width: str) -> str:
    wrapped = "white-space:normal;overflow-wrap:anywhere"
    style = f"text-align:left;vertical-align:top;{wrapped};width:{width}"
    return f'<td style="{style}">{content}</td>'


def _message(text: str) -> str:
    """Return a message as HTML: *called*, *saw* and *expected* stand out at the start of a line."""
    lines = []
    for said in text.splitlines():
        label, colon, rest = said.partition(":")
        if colon and label.strip().lower() in {"called", "saw", "expected", "look at", "next"}:
            lines.append(f"<i>{escape(label.strip())}:</i>{_inline(rest)}")
        else:
            lines.append(_inline(said))
    return "<br>".join(lines)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


_FOR = re.compile(r"<!--\s*for:(.*?)-->", re.DOTALL)


def _nested_hints(failed: Sequence[str], hints: Sequence[str]) -> str:
    """Return the hints, each folded away inside the one before, so that they are
    read one by one.
    """
    html = ""
    for number, hint in reversed(list(enumerate(fitting(failed, hints), start=1))):
        name = "A hint" if number == 1 else "The next hint"
        html = f"<details><summary>{name}</summary><div>{_blocks(hint)}{html}</div></details>"
    return html


def fitting(failed: Iterable[str], hints: Iterable[str]) -> list[str]:
    """Return the hints in a useful order, without the comments that say what they are for.

    First those that name a criterion that failed, then those that name none, then the others.
    """
    names = list(failed)

    def rank(hint: str) -> int:
        wanted = _FOR.search(hint)
        if wanted is None:
            return 1
        listed = f",{','.join(part.strip() for part in wanted[1].split(','))},"
        return 0 if any(f",{_without_spaces(name)}," in listed for name in names) else 2

    return [_FOR.sub("", hint).strip() for hint in sorted(hints, key=rank)]


def _without_spaces(name: str) -> str:
    """Return a criterion's name as it stands in a list of names: it may have a comma in it."""
    return ",".join(part.strip() for part in name.split(","))


def _beside(own: str, solutions: Solutions) -> str:
    """Return the solutions, each folded, to be opened beside the learner's own code."""
    panes = [
        f"<details><summary>{escape(heading)}</summary>"
        f'<div style="display:flex;flex-wrap:wrap;gap:1em">'
        f"{_pane('Yours', own)}{_pane(heading, code)}</div></details>"
        for heading, code in solutions
    ]
    return f"<p>Compare your answer with others:</p>{''.join(panes)}" if panes else ""


def _pane(heading: str, code: str) -> str:
    """Return a heading and code whose lines wrap, so that nothing is scrolled sideways."""
    # JupyterLab's own style breaks code anywhere, even where there is a space to break at.
    wrapped = "white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal"
    return (
        f'<div style="flex:1 1 24em;min-width:0"><b>{escape(heading)}</b>'
        f'<pre style="{wrapped}">{escape(code)}</pre></div>'
        if code
        else ""
    )


def _blocks(markdown: str) -> str:
    """Return paragraphs, inline code and fenced code as HTML: the Markdown that hints use."""
    parts = re.split(r"^```\w*\n(.*?)^```\s*$", markdown, flags=re.DOTALL | re.MULTILINE)
    html = []
    for position, part in enumerate(parts):
        if position % 2:
            html.append(f"<pre>{escape(part)}</pre>")
        else:
            html += [f"<p>{_inline(piece)}</p>" for piece in part.split("\n\n") if piece.strip()]
    return "".join(html)
