"""Makes the built parts of README.md and INSTRUCTORS.md: badge, links, figures, map and paths.

Import from this room itself; it imports `unblocked.authoring.notebooks` and `unblocked.course`.
"""

from unblocked.authoring.readme._paths import GUIDE as GUIDE
from unblocked.authoring.readme._paths import guide as guide
from unblocked.authoring.readme._readme import binder_link as binder_link
from unblocked.authoring.readme._readme import readme as readme
from unblocked.authoring.readme._readme import repository_address as repository_address
