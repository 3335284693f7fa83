"""The names of the isolation levels, for the command line too; imports nothing heavy."""

from __future__ import annotations

LEVELS = ("namespaces+landlock", "bubblewrap", "landlock", "limits")
"""From the strongest to the weakest."""


def at_least(required: str | None) -> tuple[str, ...]:
    """Return the levels that are good enough where this one is required; all, and "none", without
    one.
    """
    return LEVELS[: LEVELS.index(required) + 1] if required else (*LEVELS, "none")
