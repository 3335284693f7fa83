"""Text between two marks in a page that is otherwise written by hand."""

from __future__ import annotations

import re

from unblocked.course import CourseError


def between(text: str, name: str, made: str, page: str) -> str:
    """Return the text with `made` between `<!-- built: name -->` and its end mark.

    Raises:
        CourseError: the marks are not in `page` once each.
    """
    pattern = re.compile(rf"(<!-- built: {name} -->\n).*?(<!-- /built: {name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{made}\n{found[2]}", text)
    if count != 1:
        raise CourseError(f"{page} needs `<!-- built: {name} -->` and its end mark, once each.")
    return changed
