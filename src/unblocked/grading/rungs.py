"""The ladder of isolation by name, for the command line too, which imports nothing heavy."""

from __future__ import annotations

RUNGS = ("namespaces+landlock", "bubblewrap", "landlock", "limits")
"""From the strongest to the weakest."""
