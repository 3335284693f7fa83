"""Turns the texts of `course/` into notebooks, the same bytes from the same text.

Import from this room itself, not from its modules; it imports only what lies
beside authoring and imports nothing itself, such as `unblocked.course`.
"""

from unblocked.authoring.notebooks._beside import WORKSPACE_SUFFIX as WORKSPACE_SUFFIX
from unblocked.authoring.notebooks._beside import WORKSPACES as WORKSPACES
from unblocked.authoring.notebooks._beside import workspace as workspace
from unblocked.authoring.notebooks._cells import Cell as Cell
from unblocked.authoring.notebooks._cells import Notebook as Notebook
from unblocked.authoring.notebooks._cells import calls as calls
from unblocked.authoring.notebooks._cells import markdown as markdown
from unblocked.authoring.notebooks._cells import name_of_call as name_of_call
from unblocked.authoring.notebooks._cells import notebook as notebook
from unblocked.authoring.notebooks._cells import to_bytes as to_bytes
from unblocked.authoring.notebooks._cells import without_fences as without_fences
from unblocked.authoring.notebooks._deeper import DEEPER as DEEPER
from unblocked.authoring.notebooks._deeper import deeper_notebook as deeper_notebook
from unblocked.authoring.notebooks._deeper import leads_to as leads_to
from unblocked.authoring.notebooks._exercises import ANSWER_ABOVE as ANSWER_ABOVE
from unblocked.authoring.notebooks._exercises import HINTS as HINTS
from unblocked.authoring.notebooks._exercises import Statement as Statement
from unblocked.authoring.notebooks._exercises import answer_source as answer_source
from unblocked.authoring.notebooks._exercises import exercise_notebook as exercise_notebook
from unblocked.authoring.notebooks._exercises import solution_notebook as solution_notebook
from unblocked.authoring.notebooks._exercises import split_statement as split_statement
from unblocked.authoring.notebooks._glossary import GLOSSARY as GLOSSARY
from unblocked.authoring.notebooks._glossary import Term as Term
from unblocked.authoring.notebooks._glossary import glossary_notebook as glossary_notebook
from unblocked.authoring.notebooks._glossary import read_terms as read_terms
from unblocked.authoring.notebooks._learner import exercise_in_step as exercise_in_step
from unblocked.authoring.notebooks._learner import holds_work as holds_work
from unblocked.authoring.notebooks._learner import is_answer as is_answer
from unblocked.authoring.notebooks._learner import page_in_step as page_in_step
from unblocked.authoring.notebooks._learner import read_notebook as read_notebook
from unblocked.authoring.notebooks._lessons import lesson_notebook as lesson_notebook
from unblocked.authoring.notebooks._pages import name_of as name_of
from unblocked.authoring.notebooks._quizzes import INVITATION_TO_RUN as INVITATION_TO_RUN
from unblocked.authoring.notebooks._quizzes import QUIZ_ON_A_PAGE as QUIZ_ON_A_PAGE
from unblocked.authoring.notebooks._quizzes import questions as questions
from unblocked.authoring.notebooks._quizzes import quiz_as_html as quiz_as_html
from unblocked.authoring.notebooks._short import sections_missing as sections_missing
from unblocked.authoring.notebooks._short import short_notebook as short_notebook
from unblocked.authoring.notebooks._tasks import TO_WRITE_IN as TO_WRITE_IN
from unblocked.authoring.notebooks._tasks import task_of as task_of
from unblocked.authoring.notebooks._tried import TRIED as TRIED
