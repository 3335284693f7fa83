"""Charts, tables, the quiz and the map of the course."""

from unblocked.show._ask import Predict as Predict
from unblocked.show._ask import Question as Question
from unblocked.show._ask import predict as predict
from unblocked.show._ask import quiz as quiz
from unblocked.show._progress import progress as progress
