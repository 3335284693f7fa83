"""What a learner does and gets: predictions, quizzes, tasks, marks and the map of the course.

Import from here what is listed below; the modules are private to this room.
"""

from unblocked.show.learner._ask import Predict as Predict
from unblocked.show.learner._ask import Question as Question
from unblocked.show.learner._ask import predict as predict
from unblocked.show.learner._ask import quiz as quiz
from unblocked.show.learner._check import check as check
from unblocked.show.learner._checkview import CheckView as CheckView
from unblocked.show.learner._checkview import check_view as check_view
from unblocked.show.learner._now_you import now_you as now_you
from unblocked.show.learner._progress import progress as progress
from unblocked.show.learner._work import restore as restore
from unblocked.show.learner._work import save as save
