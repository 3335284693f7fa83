"""Says in sentences what a lesson or an exercise's room lacks. Tests ask it about all of them.

Import from this room itself; it imports `unblocked.authoring.notebooks` and `unblocked.course`.
"""

from unblocked.authoring.gates._lessons import course_problems as course_problems
from unblocked.authoring.gates._lessons import deeper_problems as deeper_problems
from unblocked.authoring.gates._lessons import lesson_problems as lesson_problems
from unblocked.authoring.gates._numbers import untraced_numbers as untraced_numbers
from unblocked.authoring.gates._rooms import caught_by as caught_by
from unblocked.authoring.gates._rooms import room_problems as room_problems
