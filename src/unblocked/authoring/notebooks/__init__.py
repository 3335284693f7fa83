"""Turns the texts of `course/` into notebooks, the same bytes from the same text.

Import from this room itself, not from its modules; it imports only `unblocked.course`.
"""

from unblocked.authoring.notebooks._beside import WORKSPACE_SUFFIX, WORKSPACES, workspace
from unblocked.authoring.notebooks._cells import (
    Cell,
    Notebook,
    markdown,
    notebook,
    to_bytes,
    without_fences,
)
from unblocked.authoring.notebooks._exercises import (
    ANSWER_ABOVE,
    HINTS,
    Statement,
    answer_source,
    exercise_notebook,
    solution_notebook,
    split_statement,
)
from unblocked.authoring.notebooks._learner import (
    exercise_in_step,
    holds_work,
    is_answer,
    page_in_step,
    read_notebook,
)
from unblocked.authoring.notebooks._lessons import lesson_notebook
from unblocked.authoring.notebooks._pages import name_of
from unblocked.authoring.notebooks._quizzes import (
    INVITATION_TO_RUN,
    QUIZ_ON_A_PAGE,
    questions,
    quiz_as_html,
)

__all__ = [
    "ANSWER_ABOVE",
    "HINTS",
    "INVITATION_TO_RUN",
    "QUIZ_ON_A_PAGE",
    "WORKSPACES",
    "WORKSPACE_SUFFIX",
    "Cell",
    "Notebook",
    "Statement",
    "answer_source",
    "exercise_in_step",
    "exercise_notebook",
    "holds_work",
    "is_answer",
    "lesson_notebook",
    "markdown",
    "name_of",
    "notebook",
    "page_in_step",
    "questions",
    "quiz_as_html",
    "read_notebook",
    "solution_notebook",
    "split_statement",
    "to_bytes",
    "without_fences",
    "workspace",
]
