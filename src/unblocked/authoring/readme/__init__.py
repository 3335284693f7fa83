"""Makes the built parts of README.md: the badge, the links to Binder, the figures and the map.

Import from this room itself; it imports `unblocked.authoring.notebooks` and `unblocked.course`.
"""

from unblocked.authoring.readme._readme import binder_link, readme, repository_address

__all__ = ["binder_link", "readme", "repository_address"]
