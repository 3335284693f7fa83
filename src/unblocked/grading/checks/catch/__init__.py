"""Judges a learner's tests by the apps that they tell apart: right ones, and ones with a bug.

Three processes play: the learner's tests, an app, and the marker, where the app's upstream lives
and the verdict is made. A test has an address and a line to the upstream, nothing else.
"""

from unblocked.grading.checks.catch.bank import App as App
from unblocked.grading.checks.catch.bank import Bank as Bank
from unblocked.grading.checks.catch.bank import Kind as Kind
from unblocked.grading.checks.catch.bank import read_bank as read_bank
from unblocked.grading.checks.catch.judged import catching as catching
