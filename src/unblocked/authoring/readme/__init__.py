"""Makes the built parts of README.md and INSTRUCTORS.md: badge, links, figures, map and paths.

Import from this room itself; it imports `unblocked.authoring.notebooks` and `unblocked.course`.
"""

from unblocked.authoring.readme._paths import GUIDE, guide
from unblocked.authoring.readme._readme import binder_link, readme, repository_address

__all__ = ["GUIDE", "binder_link", "guide", "readme", "repository_address"]
