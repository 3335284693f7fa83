"""How a mark appears: a line per criterion as it comes, the points, and hints on request."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from unblocked.show._frontend import Slot, in_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unblocked.show._frontend import Bundle

Check = dict[str, Any]

_OUTCOMES = {
    "no-answer": "There is no answer to mark yet.",
    "crashed": "The answer ended before it could be marked to the end.",
    "timeout": "The answer was stopped: its time was over.",
    "out-of-memory": "The answer was stopped: it took more memory than it may.",
}
_SIGNS = {None: "…", True: "✓", False: "✗"}
_COLOURS = {None: "#767676", True: "#009e73", False: "#d55e00"}


class CheckView(Protocol):
    """Shows a mark while it is made. May be called from any thread, one call at a time."""

    def update(self, check: Check) -> None:
        """One criterion is decided: `name`, `passed`, `points`, `max_points`, `message`."""

    def finish(self, result: dict[str, Any]) -> None:
        """All is decided: the object that `check` returns, `outcome` and `checks` among it."""


def check_view(
    slug: str,
    title: str,
    criteria: Sequence[str],
    hints: Sequence[str] = (),
    slot: Slot | None = None,
) -> CheckView:
    """A view for one marking of the exercise `slug`, shown at once with all criteria waiting.

    It takes the place of what `slot` shows, if there is one.

    In a notebook it is a page in the cell's output that changes in place, is saved with the
    notebook and needs no trust; elsewhere the lines are printed. Hints are Markdown text and are
    offered one by one, unless all points were reached.
    """
    if in_kernel():
        return _PageView(slug, title, list(criteria), list(hints), slot or Slot())
    return _TextView(slug, title, list(criteria), list(hints))


def notice(title: str, what: str) -> Bundle:
    """What stands in the place of a view that has no criteria yet."""
    html = f'<p role="status"><b>{escape(title)}</b>: {escape(what)}</p>'
    return {"text/plain": f"{title}: {what}", "text/html": html}


class _TextView:
    """Prints a line for each criterion when it is decided."""

    def __init__(self, slug: str, title: str, criteria: list[str], hints: list[str]) -> None:
        self._hints = hints
        print(f"{title} ({slug}): {len(criteria)} criteria")

    def update(self, check: Check) -> None:
        print(_text_line(check), flush=True)

    def finish(self, result: dict[str, Any]) -> None:
        print(_verdict(result))
        if self._hints and not _is_full(result):
            print(f"There are {len(self._hints)} hints at the end of the exercise.")


class _PageView:
    """A page that is shown again, in place, at each change."""

    def __init__(
        self, slug: str, title: str, criteria: list[str], hints: list[str], slot: Slot
    ) -> None:
        self._title, self._slug, self._hints = title, slug, hints
        self._checks: dict[str, Check | None] = dict.fromkeys(criteria)
        self._result: dict[str, Any] | None = None
        self._slot = slot
        self._show()

    def update(self, check: Check) -> None:
        self._checks[check["name"]] = check
        self._show()

    def finish(self, result: dict[str, Any]) -> None:
        self._checks.update({check["name"]: check for check in result.get("checks", [])})
        self._result = result
        self._show()

    def _show(self) -> None:
        self._slot.put({"text/plain": self._text(), "text/html": self._html()})

    def _text(self) -> str:
        lines = [f"{self._title} ({self._slug})"]
        lines += [
            f"  … {name}: {self._waiting()}" if check is None else _text_line(check)
            for name, check in self._checks.items()
        ]
        return "\n".join([*lines, self._summary()])

    def _waiting(self) -> str:
        return "waiting" if self._result is None else "not reached"

    def _summary(self) -> str:
        if self._result is not None:
            return _verdict(self._result)
        decided = sum(check is not None for check in self._checks.values())
        return (
            f"{decided} of {len(self._checks)} criteria decided, {self._points():g} points so far"
        )

    def _points(self) -> float:
        return sum(float(check["points"]) for check in self._checks.values() if check)

    def _html(self) -> str:
        rows = "".join(self._row(name, check) for name, check in self._checks.items())
        head = f"<b>{escape(self._title)}</b>: {escape(self._summary())}"
        return (
            f'<div style="max-width:60em"><p role="status">{head}{self._bar()}</p>'
            f'<table style="width:100%"><tbody>{rows}</tbody></table>{self._more()}</div>'
        )

    def _bar(self) -> str:
        """Points as a bar: what is reached, of all that the decided criteria could give."""
        most = float((self._result or {}).get("max_points") or 0)
        whole = most or sum(float(c["max_points"]) for c in self._checks.values() if c)
        share = 100 * self._points() / whole if whole else 0
        if self._result is None:
            known = sum(check is not None for check in self._checks.values())
            share *= known / max(len(self._checks), 1)
        return (
            '<div aria-hidden="true" style="height:10px;margin-top:6px;border-radius:5px;'
            'background-color:#8884;overflow:hidden"><div style="height:10px;'
            f'width:{share:.0f}%;background-color:#009e73"></div></div>'
        )

    def _row(self, name: str, check: Check | None) -> str:
        passed = None if check is None else bool(check["passed"])
        word = {None: self._waiting(), True: "passed", False: "failed"}[passed]
        sign = f'<b style="color:{_COLOURS[passed]}">{_SIGNS[passed]}&nbsp;{word}</b>'
        points = f"{check['points']:g}&nbsp;/&nbsp;{check['max_points']:g}" if check else ""
        message = f"<br>{_message(check['message'])}" if check and check["message"] else ""
        cells = (sign, f"<b>{escape(name)}</b>{message}", points)
        styled = zip(cells, _WIDTHS, strict=True)
        return "<tr>" + "".join(_cell(cell, width) for cell, width in styled) + "</tr>"

    def _more(self) -> str:
        if self._result is None or _is_full(self._result):
            return ""
        return _nested_hints(self._hints)


_WIDTHS = ("7em", "auto", "4em")


def _cell(content: str, width: str) -> str:
    wrapped = "white-space:normal;overflow-wrap:anywhere"
    style = f"text-align:left;vertical-align:top;{wrapped};width:{width}"
    return f'<td style="{style}">{content}</td>'


def _text_line(check: Check) -> str:
    sign = _SIGNS[bool(check["passed"])]
    line = f"  {sign} {check['name']} ({check['points']:g} of {check['max_points']:g})"
    message = str(check["message"] or "")
    return line + "".join(f"\n      {part}" for part in message.splitlines())


def _is_full(result: dict[str, Any]) -> bool:
    return bool(result.get("max_points")) and result["points"] >= result["max_points"]


def _verdict(result: dict[str, Any]) -> str:
    points = f"{result['points']:g} of {result['max_points']:g} points"
    if _is_full(result):
        return f"{points}: everything passed."
    reason = _OUTCOMES.get(str(result.get("outcome")))
    return f"{points}. {reason}" if reason else f"{points}."


def _message(text: str) -> str:
    """A message as HTML: *called*, *saw* and *expected* stand out at the start of a line."""
    lines = []
    for line in text.splitlines():
        label, colon, rest = line.partition(":")
        if colon and label.strip().lower() in {"called", "saw", "expected", "look at", "next"}:
            lines.append(f"<i>{escape(label.strip())}:</i>{_inline(rest)}")
        else:
            lines.append(_inline(line))
    return "<br>".join(lines)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _nested_hints(hints: Iterable[str]) -> str:
    """Each hint is folded away inside the one before, so that they are read one by one."""
    html = ""
    for number, hint in reversed(list(enumerate(hints, start=1))):
        name = "A hint" if number == 1 else "The next hint"
        html = f"<details><summary>{name}</summary><div>{_blocks(hint)}{html}</div></details>"
    return html


def _blocks(markdown: str) -> str:
    """Paragraphs, inline code and fenced code: the Markdown that hints use."""
    parts = re.split(r"^```\w*\n(.*?)^```\s*$", markdown, flags=re.DOTALL | re.MULTILINE)
    html = []
    for position, part in enumerate(parts):
        if position % 2:
            html.append(f"<pre>{escape(part)}</pre>")
        else:
            html += [f"<p>{_inline(piece)}</p>" for piece in part.split("\n\n") if piece.strip()]
    return "".join(html)
