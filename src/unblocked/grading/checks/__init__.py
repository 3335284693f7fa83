"""What an instructor writes checks with: an exam, its app, callers, upstreams, expectations.

A room's `checks.py` imports from here and from nowhere else in the package.
"""

from unblocked.grading.checks.app import LOOP_TURNS as LOOP_TURNS
from unblocked.grading.checks.app import App as App
from unblocked.grading.checks.callers import Reply as Reply
from unblocked.grading.checks.exam import Criterion as Criterion
from unblocked.grading.checks.exam import Exam as Exam
from unblocked.grading.checks.exam import Facts as Facts
from unblocked.grading.checks.exam import Scenario as Scenario
from unblocked.grading.checks.exam import criterion as criterion
from unblocked.grading.checks.exam import scenario as scenario
from unblocked.grading.checks.expect import Failed as Failed
from unblocked.grading.checks.expect import called as called
from unblocked.grading.checks.expect import expect as expect
from unblocked.grading.checks.expect import now_called as now_called
from unblocked.grading.checks.sources import PLENTY as PLENTY
from unblocked.grading.checks.sources import Sources as Sources
from unblocked.grading.checks.sources import asking as asking
from unblocked.grading.checks.sources import begins as begins
from unblocked.grading.checks.sources import fails as fails
from unblocked.grading.checks.sources import hold as hold
from unblocked.grading.checks.sources import silent as silent
from unblocked.grading.checks.upstream import Call as Call
from unblocked.grading.checks.upstream import Upstream as Upstream
from unblocked.grading.checks.upstream import at_once as at_once
from unblocked.grading.checks.upstream import in_pieces as in_pieces
from unblocked.grading.checks.upstream import json_of as json_of
from unblocked.grading.checks.upstream import piece_by_piece as piece_by_piece
from unblocked.grading.checks.vocabulary import FAILURES as FAILURES
from unblocked.grading.checks.vocabulary import LOST as LOST
from unblocked.grading.checks.vocabulary import REFUSED as REFUSED
from unblocked.grading.checks.vocabulary import STATUS_400 as STATUS_400
from unblocked.grading.checks.vocabulary import STATUS_500 as STATUS_500
from unblocked.grading.checks.vocabulary import Script as Script
from unblocked.grading.checks.vocabulary import expect_a_thread_each as expect_a_thread_each
from unblocked.grading.checks.vocabulary import expect_bounded as expect_bounded
from unblocked.grading.checks.vocabulary import expect_few_threads as expect_few_threads
from unblocked.grading.checks.vocabulary import expect_loop_free as expect_loop_free
from unblocked.grading.checks.vocabulary import expect_no_threads as expect_no_threads
from unblocked.grading.checks.vocabulary import expect_nothing_left as expect_nothing_left
from unblocked.grading.checks.vocabulary import expect_released as expect_released
from unblocked.grading.checks.vocabulary import expect_reply as expect_reply
from unblocked.grading.checks.vocabulary import expect_retry_after as expect_retry_after
from unblocked.grading.checks.vocabulary import expect_stopped as expect_stopped
from unblocked.grading.checks.vocabulary import failing as failing
from unblocked.grading.checks.vocabulary import failing_upstream as failing_upstream
from unblocked.grading.checks.vocabulary import held as held
from unblocked.grading.checks.vocabulary import nothing_blocks as nothing_blocks
from unblocked.grading.checks.vocabulary import released as released
from unblocked.grading.sandbox.run import AnswerError as AnswerError
from unblocked.grading.sandbox.run import Gone as Gone
