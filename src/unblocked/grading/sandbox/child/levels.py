"""The ladder of isolation by name, for the command line too, which imports nothing heavy."""

from __future__ import annotations

LEVELS = ("namespaces+landlock", "bubblewrap", "landlock", "limits")
"""From the strongest to the weakest."""


def at_least(required: str | None) -> tuple[str, ...]:
    """The levels that are good enough where this one, or none, is required."""
    return LEVELS[: LEVELS.index(required) + 1] if required else (*LEVELS, "none")
