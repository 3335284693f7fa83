"""Charts, tables, the quiz and the map of the course."""

from unblocked.rig import Server
from unblocked.show._ask import Predict as Predict
from unblocked.show._ask import Question as Question
from unblocked.show._ask import predict as predict
from unblocked.show._ask import quiz as quiz
from unblocked.show._checkview import CheckView as CheckView
from unblocked.show._checkview import check_view as check_view
from unblocked.show._compare import compare as compare
from unblocked.show._comparison import Comparison as Comparison
from unblocked.show._now_you import now_you as now_you
from unblocked.show._progress import progress as progress
from unblocked.show._timeline import Timeline as Timeline
from unblocked.show._timeline import timeline as timeline
from unblocked.show._watch import Watch as Watch
from unblocked.show._watch import watch as watch

Server.view = watch
