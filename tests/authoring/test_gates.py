"""The gates of the course, each tried on a good room or lesson and on a bad one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from small_course import LINK, lesson_text

from unblocked._order import shuffled
from unblocked.authoring import gates
from unblocked.authoring.gates import _quizzes, _text
from unblocked.course import CourseError, read_course

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def room_problems(root: Path) -> list[str]:
    course = read_course(root / "course")
    return gates.room_problems(course, course.rooms[0])


def lesson_problems(root: Path) -> list[str]:
    course = read_course(root / "course")
    return gates.lesson_problems(course, course.lessons[1], root)


def swap(name: str, old: str, new: str) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")

    return edit


def drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def put(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, "utf-8")


def test_a_good_room_passes(root: Path) -> None:
    assert room_problems(root) == []


BAD_ROOMS = [
    (drop("solution.py"), "solution.py is missing"),
    (drop("checks.py"), "checks.py is missing"),
    (drop("right/r0.py"), "right/ has 1"),
    (drop("wrong/w0.py"), "wrong/ has 7"),
    (put("notes.txt", "stray"), "notes.txt does not belong"),
    (put("right/data.csv", "stray"), "right/data.csv does not belong"),
    (put("wrong/w0.py", "app = 1\n"), "wrong/w0.py must begin"),
    (put("wrong/w1.py", "# caught by:\napp = 1\n"), "wrong/w1.py must begin"),
    (put("starter.py", "app = 1\n"), "no comment that says where to begin"),
    (put("right/r0.py", "def f(:\n"), "right/r0.py: line 1"),
    (swap("exercise.md", "## Hints", "## Help"), "no `## Hints`"),
    (swap("exercise.md", "<summary>A gentle one</summary>", ""), "wants 3 hints"),
    (swap("exercise.md", "URL", "ADDRESS"), "given name URL"),
    (swap("exercise.md", "lesson: 01-counting", "lesson: 07-gone"), "not the name of a lesson"),
    (swap("exercise.md", "title: Add up\n", ""), "no `title:`"),
    (swap("exercise.md", "minutes: 15", "minutes: 0"), "more than 0"),
]


@pytest.mark.parametrize(("spoil", "problem"), BAD_ROOMS, ids=[p for _, p in BAD_ROOMS])
def test_a_bad_room_is_told_why(root: Path, spoil: Callable[[Path], object], problem: str) -> None:
    spoil(root / "course/exercises/add-up")
    found = room_problems(root)
    assert [text for text in found if problem in text], found


def test_a_starter_that_is_the_solution_is_told_so(root: Path) -> None:
    room = root / "course/exercises/add-up"
    (room / "starter.py").write_bytes((room / "solution.py").read_bytes())
    assert "starter.py is the solution" in room_problems(root)


def test_a_good_lesson_passes(root: Path) -> None:
    assert lesson_problems(root) == []


def test_links_between_pages_of_the_course_are_good_before_they_are_built(root: Path) -> None:
    links = f"{LINK} [g](glossary.ipynb) [a](00-start.ipynb#quiz) [b](../exercises/add-up.ipynb) [c](https://www.python.org)"
    write_lesson(root, lesson_text("Counting", extra=links))
    assert lesson_problems(root) == []


def write_lesson(root: Path, text: str) -> None:
    (root / "course/lessons/01-counting.md").write_text(text, "utf-8")


CELL = "```{code-cell}\nx = 1\n```\n\n"
FOLDED = CELL.replace("x = 1", "---\njupyter:\n  source_hidden: true\n---\n" + "x = 1\n" * 250)
GOOD = lesson_text("Counting", extra=LINK)


def extra(text: str) -> str:
    return lesson_text("Counting", extra=text)


def without(text: str, instead: str = "") -> str:
    assert text in GOOD
    return GOOD.replace(text, instead)


BAD_LESSONS = [
    (lesson_text("Counting", words=400), "600 to 1000"),
    (lesson_text("Counting", words=1300), "600 to 1000"),
    (extra(CELL * 20), "at most 14"),
    (extra(CELL.replace("x = 1", "x = 1\n" * 201)), "at most 200"),
    (extra("[gone](09-gone.ipynb)"), "09-gone.ipynb leads nowhere"),
    (extra("[gone](deeper/gone.ipynb)"), "deeper/gone.ipynb leads nowhere"),
    (extra("![a](https://example.org/a.png)"), "needs a network"),
    (extra('<img src="a.png">'), "without alt text"),
    (extra(CELL.replace("1", "'https://example.org'")), "needs a network"),
    (extra(CELL.replace("= 1", "= =")), "invalid syntax"),
    (without("  - say what an upstream is\n"), "objectives are missing"),
    (without("minutes: 20", "minutes: 40"), "between 15 and 35"),
    (without("minutes: 20", "minutes: 10"), "between 15 and 35"),
    (without("title: Counting\n"), "title is missing"),
    (without("predict(", "print("), "nothing to predict"),
    (without("quiz(\n", "print(\n"), "one quiz of 3"),
    (without('    {"ask": "Counting two?"', '    # {"ask": "Counting two?"'), "one quiz of 3"),
    (without('"aye": "Right."', '"ayes": "Right."').replace('"aye"', '"ayes"'), "the longest"),
    (without('"right": "aye"', '"right": "no"'), "none of its options"),
    (without("## Summary", "## End"), "no `## Summary`"),
    (without("[now-you, one]", "[other, one]"), "1 now-you tasks; 2 to 3"),
    (without("[now-you, one]", "[now-you]"), "one more tag"),
    (without("[now-you, one]", "[now-you, uno]"), "two tasks are called 'uno'"),
    (without("[now-you, one]", "[now-you, eins]"), "'eins' has no right answer"),
    (without("[now-you, one]", "[now-you, eins]"), "01/one.py belongs to no task"),
    (without("# Now you: write a function `one`", "one = 0  #"), "begins with a comment"),
    (without("now_you(", "print("), "the next code cell judges it"),
    (without("  source_hidden: true", "  source_hidden: false"), "judges it is folded"),
    (extra("That mends it."), "'mends' is a word of our own; say: fix"),
    (extra("A dearer one."), "say: expensive"),
    (extra("Four clocks run."), "say: timeout"),
    (extra("Then it lets go of the connection."), "closes, or releases"),
]


@pytest.mark.parametrize(("text", "problem"), BAD_LESSONS)
def test_a_bad_lesson_is_told_why(root: Path, text: str, problem: str) -> None:
    write_lesson(root, text)
    found = lesson_problems(root)
    assert [said for said in found if problem in said], found


@pytest.mark.parametrize(
    "text",
    [
        FOLDED,
        "Not the wall clock but the virtual clock moves.",
        CELL.replace("x = 1", "virtual_clock = 1"),
        "We recommend what the amendment says.",
    ],
)
def test_what_is_no_fault_is_not_called_one(root: Path, text: str) -> None:
    write_lesson(root, lesson_text("Counting", extra=f"{LINK}\n\n{text}"))
    assert lesson_problems(root) == []


TASKS = "course/lessons/tasks/01"
BAD_ANSWERS = [
    (drop("one.py"), "'one' has no right answer"),
    (drop("one.wrong_two.py"), "'one' has no wrong answer"),
    (put("one.py", "# nothing\n"), "adds 0 lines of code; 1 to 9"),
    (put("one.py", "x = 1\n" * 10), "adds 10 lines of code; 1 to 9"),
    (put("one.py", "def one(:\n    return 1\n"), "one.py: line 1"),
    (put("two.py", "x = 1\ny = 2\n"), "01/two.py belongs to no task"),
    (put("one.right.py", "x = 1\ny = 2\n"), "01/one.right.py belongs to no task"),
]


@pytest.mark.parametrize(("spoil", "problem"), BAD_ANSWERS, ids=[p for _, p in BAD_ANSWERS])
def test_bad_answers_to_tasks_are_told(
    root: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(root / TASKS)
    found = lesson_problems(root)
    assert [text for text in found if problem in text], found


def test_lines_that_a_tasks_cell_gives_are_not_counted(root: Path) -> None:
    given = "\n".join(f"given_{number} = 0" for number in range(20))
    told = "# Now you: write a function `one` that returns 1."
    write_lesson(root, without(told, f"{told}\n{given}"))
    put("one.py", f"{given}\none = int\n")(root / TASKS)
    assert lesson_problems(root) == []


def test_a_copy_for_learners_lacks_the_answers_and_keeps_the_contract(root: Path) -> None:
    shutil.rmtree(root / "course/lessons/tasks")
    assert lesson_problems(root) == []


def deeper_problems(root: Path) -> list[str]:
    course = read_course(root / "course")
    return gates.deeper_problems(course, course.deeper[0], root)


def test_a_good_deeper_page_passes(root: Path) -> None:
    assert deeper_problems(root) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("loop", "", "300 to 1000"),
        ("(../01-counting.ipynb)", "(01-counting.ipynb)", "01-counting.ipynb leads nowhere"),
        ("minutes: 10", "minutes: 1", "between 5 and 35"),
        ("print(6 * 7)", "quiz({})", "a question has `ask`"),
        ("Back to", "The clock of", "say: timeout"),
    ],
)
def test_a_bad_deeper_page_is_told_why(root: Path, old: str, new: str, problem: str) -> None:
    swap("what-it-costs.md", old, new)(root / "course/deeper")
    found = deeper_problems(root)
    assert [text for text in found if problem in text], found


def test_a_deeper_page_that_no_lesson_links_to_is_told(root: Path) -> None:
    write_lesson(root, lesson_text("Counting"))
    assert deeper_problems(root) == ["no lesson links to deeper/what-it-costs.ipynb"]


def test_an_exercise_does_not_belong_to_a_deeper_page(root: Path) -> None:
    swap("exercise.md", "lesson: 01-counting", "lesson: what-it-costs")(
        root / "course/exercises/add-up"
    )
    assert any("not the name of a lesson" in text for text in room_problems(root))


def course_problems(root: Path) -> list[str]:
    return gates.course_problems(read_course(root / "course"))


def test_a_good_course_has_only_a_short_glossary_to_answer_for(root: Path) -> None:
    assert course_problems(root) == ["2 terms; at least 40 are wanted"]


def test_a_question_that_two_lessons_ask_is_told(root: Path) -> None:
    swap("00-start.md", "Start one?", "Counting  ONE?")(root / "course/lessons")
    assert "'counting one?' is asked 2 times" in course_problems(root)


def test_right_options_that_all_stand_at_one_position_are_told() -> None:
    asked = [question(f"q{number}", position=0) for number in range(12)]
    (problem,) = _quizzes.questions_problems(asked)
    assert problem == "12 of 12 right options stand at position 1"
    spread = [question(f"q{number}", position=number % 2) for number in range(12)]
    assert list(_quizzes.questions_problems(spread)) == []


def question(ask: str, position: int) -> dict[str, object]:
    """One whose right option stands at this position, counted from 0."""
    options = {"aye": "", "nay": ""}
    return {"ask": ask, "options": options, "right": shuffled(ask, options)[position]}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## permit", "## a permit", "'a permit' should stand where 'event loop' stands"),
        ("Also: loop", "Also: permit", "'permit' is explained twice"),
        ("Lesson: 00", "Lesson: 42", "'permit': there is no lesson 42"),
        ("What one must", "What the clock must", "say: timeout"),
        ("What one must", "must " * 60, "one or two sentences"),
    ],
)
def test_a_bad_glossary_is_told_why(root: Path, old: str, new: str, problem: str) -> None:
    swap("glossary.md", old, new)(root / "course")
    found = course_problems(root)
    assert [text for text in found if problem in text], found


def test_a_path_that_takes_too_long_is_told(root: Path) -> None:
    swap("paths.toml", "minutes = 60", "minutes = 30")(root / "course")
    assert "paths.toml: 'An hour' takes 35 minutes, not 30" in course_problems(root)


def test_a_section_that_is_not_there_to_be_left_out_is_told(root: Path) -> None:
    swap("paths.toml", 'leave_out = ["Quiz"]', 'leave_out = ["Gone"]')(root / "course")
    told = "paths.toml: 'Counting' has no section 'Gone' to leave out"
    assert told in course_problems(root)


def test_a_lesson_that_is_shortened_in_two_ways_is_told(root: Path) -> None:
    other = '{ lesson = "01-counting", minutes = 5, leave_out = ["Summary"] }'
    swap("paths.toml", '{ lesson = "01-counting" }', other)(root / "course")
    assert "paths.toml: 01-counting is shortened in two ways" in course_problems(root)


def test_a_term_without_a_lesson_is_told(root: Path) -> None:
    swap("glossary.md", "Lesson: 00\n", "")(root / "course")
    with pytest.raises(CourseError, match=r"'permit' needs a line such as `Lesson: 05`"):
        course_problems(root)


def test_addresses_of_this_machine_need_no_network(root: Path) -> None:
    for address in ("http://127.0.0.1:8000/", "http://localhost", "http://nowhere.invalid/"):
        write_lesson(root, lesson_text("Counting", extra=CELL.replace("1", repr(address))))
        assert lesson_problems(root) == []


def test_code_and_tags_are_no_prose() -> None:
    text = "one two\n```python\nthree = 4\n```\n<b class='five'>six</b> seven's"
    assert _text.words(text) == ["one", "two", "six", "seven's"]


@pytest.mark.parametrize(
    ("prose", "untraced"),
    [
        ("It took 221 threads.", ["221"]),
        ("It took 1,006 threads and 200 calls.", ["1,006", "200"]),
        ("It took 4.2 s, five times 9.", ["4.2"]),
        ("It took 1,005 threads, as printed.", []),
        ("Python 3.12 answers 404 (lesson 05) over HTTP/1.1 with `x = 77`.", []),
        ("Python 3.11.0 to 3.11.3 wrap it.", []),
        ("Lesson 07 showed it.", []),
        ("[← 07 · Stream](07.html)", []),
        ("10. A list\n11. of steps", []),
        ("```python\nx = 77\n```\n[here](77.html)", []),
    ],
)
def test_numbers_in_prose_are_traced_to_a_cell(prose: str, untraced: list[str]) -> None:
    assert gates.untraced_numbers([prose], "threads = 1005") == untraced
