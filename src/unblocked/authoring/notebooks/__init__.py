"""Turns the texts of `course/` into notebooks, the same bytes from the same text.

Import from this room itself, not from its modules; it imports only what lies
beside authoring and imports nothing itself, such as `unblocked.course`.
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
from unblocked.authoring.notebooks._deeper import DEEPER, deeper_notebook, leads_to
from unblocked.authoring.notebooks._exercises import (
    ANSWER_ABOVE,
    HINTS,
    Statement,
    answer_source,
    exercise_notebook,
    solution_notebook,
    split_statement,
)
from unblocked.authoring.notebooks._glossary import (
    GLOSSARY,
    Term,
    glossary_notebook,
    read_terms,
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
from unblocked.authoring.notebooks._short import sections_missing, short_notebook
from unblocked.authoring.notebooks._tasks import TO_WRITE_IN, task_of
from unblocked.authoring.notebooks._tried import TRIED

__all__ = [
    "ANSWER_ABOVE",
    "DEEPER",
    "GLOSSARY",
    "HINTS",
    "INVITATION_TO_RUN",
    "QUIZ_ON_A_PAGE",
    "TO_WRITE_IN",
    "TRIED",
    "WORKSPACES",
    "WORKSPACE_SUFFIX",
    "Cell",
    "Notebook",
    "Statement",
    "Term",
    "answer_source",
    "deeper_notebook",
    "exercise_in_step",
    "exercise_notebook",
    "glossary_notebook",
    "holds_work",
    "is_answer",
    "leads_to",
    "lesson_notebook",
    "markdown",
    "name_of",
    "notebook",
    "page_in_step",
    "questions",
    "quiz_as_html",
    "read_notebook",
    "read_terms",
    "sections_missing",
    "short_notebook",
    "solution_notebook",
    "split_statement",
    "task_of",
    "to_bytes",
    "without_fences",
    "workspace",
]
