"""Apps under load, live while they run and as picture and table afterwards.

Import from here what is listed below, `race` from its own module, and the apps that it compares
from `variants`; all other modules are private to this room.
"""

from unblocked.rig import Server
from unblocked.show.compare._compare import compare as compare
from unblocked.show.compare._comparison import Comparison as Comparison
from unblocked.show.compare._timeline import Timeline as Timeline
from unblocked.show.compare._timeline import timeline as timeline
from unblocked.show.compare._watch import Watch as Watch
from unblocked.show.compare._watch import watch as watch

Server.view = watch  # The rig does not know who draws.
