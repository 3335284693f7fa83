"""The ladder of isolation by name, for the command line too, which imports nothing heavy."""

from __future__ import annotations

RUNGS = ("namespaces+landlock", "bubblewrap", "landlock", "limits")
"""From the strongest to the weakest."""


def at_least(required: str | None) -> tuple[str, ...]:
    """The rungs that are good enough where this one, or none, is required."""
    return RUNGS[: RUNGS.index(required) + 1] if required else (*RUNGS, "none")
