"""Says in sentences what a lesson or an exercise's room lacks; tests ask it about all of them.

Import from this room itself; it imports `unblocked.authoring.notebooks` and `unblocked.course`.
"""

from unblocked.authoring.gates._lessons import course_problems, deeper_problems, lesson_problems
from unblocked.authoring.gates._numbers import untraced_numbers
from unblocked.authoring.gates._rooms import caught_by, room_problems

__all__ = [
    "caught_by",
    "course_problems",
    "deeper_problems",
    "lesson_problems",
    "room_problems",
    "untraced_numbers",
]
