"""The command `unblocked`.

Every command imports what it needs when it runs, so that `unblocked check` loads no notebook
tools and `unblocked --help` loads nothing. Exit codes: 0 done, 1 not (full marks, in step), 2 the
command could not be used as given, and one sentence on stderr says how to fix it, 130 stopped by
Ctrl-C, 141 nobody reads what it prints.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from unblocked.course import CourseError
from unblocked.grading.sandbox.child.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Callable[[argparse.Namespace], int]
    Commands = Any  # argparse's class of sub-parsers is private

_INTERRUPTED, _CLOSED_PIPE = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never a traceback of ours on stderr.

    Set UNBLOCKED_TRACEBACK=1 to see where an error of ours came from.
    """
    _escape_unencodable_output()
    args = _parse(argv)
    command: Command = args.command

    try:
        return command(args)
    except (CourseError, OSError) as error:
        return _unread() if _is_closed_pipe(error) else _refuse(_sentence(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        if not (error.name or "unblocked").startswith("unblocked"):
            return _refuse(_missing(error.name or "a module"))
        return _fault(error)
    except Exception as error:
        if _is_closed_pipe(error):
            return _unread()
        return _fault(error)


def _is_closed_pipe(error: BaseException) -> bool:
    """Return whether an error only says that nobody reads the output any more, as
    after `| head`.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_closed_pipe, error.exceptions))
    return isinstance(error, BrokenPipeError) and error.filename is None


def _unread() -> int:
    """Send what is still to be printed to nowhere, and return the exit code of a closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _CLOSED_PIPE


def _missing(module: str) -> str:
    """Return a sentence on a tool that learners do not have, with the command that installs it.

    It names the Python that runs this: a bare `pip` fills whatever Python is first on PATH.
    """
    from unblocked.course import checkout

    top = module.partition(".")[0]
    extra = "dask" if top in ("distributed", "dask") else "dev"
    python = sys.executable
    try:
        root = checkout()
    except CourseError:  # a package
        return f'{top} is missing. This brings it: {python} -m pip install "unblocked[{extra}]"'
    constraints, target = root / "requirements.txt", f"{root}[{extra}]"
    return (
        f"{top} is missing, as learners need none. This brings it: "
        f'{python} -m pip install -c "{constraints}" -e "{target}"'
    )


def _escape_unencodable_output() -> None:
    """Print characters that the output's encoding lacks as escapes.

    On Windows a pipe may lack an arrow, or a letter of an answer's message, and a command would die
    of what it says after what it did. The encoding stays the reader's.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fault(error: Exception) -> int:
    """Return the exit code for an error of ours, which is reported in one sentence."""
    if os.environ.get("UNBLOCKED_TRACEBACK"):
        raise error
    return _refuse(
        f"this is a fault of Unblocked, not yours: {type(error).__name__}: {error}. "
        "Run it again with UNBLOCKED_TRACEBACK=1 and report what it says."
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; unknown ones are an error, except after `lab`, which hands them to
    JupyterLab.
    """
    parser = _parser()
    args, unknown = parser.parse_known_args(argv)
    if hasattr(args, "jupyter"):
        args.jupyter = unknown
    elif unknown:
        parser.error(f"unrecognised: {' '.join(unknown)}")
    return args


def _refuse(sentence: str) -> int:
    """Print a sentence and return the exit code for a command that could not be used as given."""
    print(f"unblocked: {sentence}", file=sys.stderr)
    return 2


def _sentence(error: Exception) -> str:
    """Return what an error says, with the file that it is about."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.filename or 'The disk'}: no space left. Make room there, and run it again."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Check the path and your rights there."
    return str(error)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"unblocked: {message}. See `{self.prog} --help`.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="unblocked", description="Threads or await: a course that measures.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


class _Version(argparse.Action):
    """Shows the version. It is read only when asked for: that costs more than the parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        print(f"unblocked {metadata.version('unblocked')}")
        parser.exit()


def _add(
    commands: Commands, name: str, target: str, text: str, *takes: str
) -> argparse.ArgumentParser:
    """Add the command that calls `target`, "module:function", with the options that it takes.

    Without names it takes all of them, as they were parsed.
    """
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=partial(_call, target, takes))
    return parser


def _call(target: str, takes: Sequence[str], args: argparse.Namespace) -> int:
    """Import a command's function, which only now is needed, and call it."""
    module, _, function = target.partition(":")
    found: Callable[..., int] = getattr(import_module(f"unblocked.{module}"), function)
    return found(*(getattr(args, name) for name in takes)) if takes else found(args)


def _lab(commands: Commands) -> None:
    text = "open JupyterLab on the course; further options are JupyterLab's own"
    parser = _add(commands, "lab", "authoring.lab:lab", text, "jupyter")
    parser.set_defaults(jupyter=[])


def _list(commands: Commands) -> None:
    text = "exercises: slug, title, points, minutes, your best mark"
    _add(commands, "list", "grading.commands:list_exercises", text)


def _check(commands: Commands) -> None:
    parser = _add(commands, "check", "grading.commands:check", "mark one answer")
    parser.add_argument("slug", metavar="SLUG", help="which exercise (see `unblocked list`)")
    parser.add_argument("file", metavar="FILE", type=_path, help="a notebook, or a .py answer")
    parser.add_argument("--json", action="store_true", help="print one JSON object, no more")
    parser.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)


def _reset(commands: Commands) -> None:
    text = "put an exercise's starter back, keeping a dated copy of what was there"
    parser = _add(commands, "reset", "authoring.reset:reset", text, "slug")
    parser.add_argument("slug", metavar="SLUG")


def _save(commands: Commands) -> None:
    text = "put your marks and answers into one file (zip)"
    parser = _add(commands, "save", "show.learner:save", text, "file")
    text = "a name that ends in .zip; a file that has it already is kept under a dated name"
    parser.add_argument("file", metavar="FILE", type=_path, help=text)


def _restore(commands: Commands) -> None:
    text = "take back what `unblocked save` put into FILE"
    parser = _add(commands, "restore", "show.learner:restore", text, "file")
    text = "the better mark counts; notebooks that differ from it are kept under dated names"
    parser.add_argument("file", metavar="FILE", type=_path, help=text)


def _grade(commands: Commands) -> None:
    parser = _add(commands, "grade", "grading.classroom.grade:grade", "mark a class")
    parser.add_argument(
        "folder", metavar="FOLDER", type=_path, help="the submissions, or their zip"
    )
    parser.add_argument("--out", metavar="FOLDER", type=_path, required=True, help="the marks")
    parser.add_argument("--workers", metavar="N", type=_at_least_one, help="default: the cores")
    parser.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler that spreads the work")
    parser.add_argument("--again", action="store_true", help="mark afresh what is marked already")
    text = f"the least isolation to mark with: {', '.join(LEVELS)}"
    parser.add_argument("--require", metavar="RUNG", choices=LEVELS, help=text)
    text = "your class as CSV: Canvas's gradebook, Moodle's grading worksheet, or a list of names"
    parser.add_argument("--roster", metavar="FILE", type=_path, help=text)
    text = "mark with your own exercises instead, in FOLDER/exercises/SLUG/"
    parser.add_argument("--course", metavar="FOLDER", type=_path, help=text)
    _choices(parser)


def _choices(parser: argparse.ArgumentParser) -> None:
    """Add the options with which a person decides about a class's marks."""
    parser.add_argument("--only", metavar="SLUG", help="mark this exercise alone")
    text = "mark one learner afresh, by a name or id, and leave the others' marks"
    parser.add_argument("--again-for", metavar="LEARNER", help=text)
    text = "marks by hand, which win: CSV with the columns learner,exercise,points,comment"
    parser.add_argument("--overrides", metavar="FILE", type=_path, help=text)
    text = "until when answers are on time, such as '2026-12-01 23:59'"
    parser.add_argument("--due", metavar="DATE", help=text)
    text = "percent of the maximum that each day begun after --due costs (default: none)"
    parser.add_argument("--penalty", metavar="PERCENT", type=_percent, help=text)
    text = "replace marks and comments that the list holds (default: keep and name them)"
    parser.add_argument("--overwrite", action="store_true", help=text)
    text = "the column of Canvas's export to fill, if none is named like the exercise"
    parser.add_argument("--column", metavar="NAME", help=text)
    text = "also write pages to FOLDER/LEARNER/SLUG/, for `nbgrader release_feedback`"
    parser.add_argument("--nbgrader-feedback", metavar="FOLDER", type=_path, help=text)


def _total(commands: Commands) -> None:
    text = "add up the marks of several weeks"
    parser = _add(commands, "total", "grading.classroom.total:total", text)
    text = "folders of marks, as `unblocked grade` makes them with --out"
    parser.add_argument("folders", metavar="FOLDER", type=_path, nargs="+", help=text)
    text = "the table to write; the folder itself must be there"
    parser.add_argument("--out", metavar="FILE", type=_path, required=True, help=text)
    text = "your class as CSV: whoever is in it has a line, by the id there"
    parser.add_argument("--roster", metavar="FILE", type=_path, help=text)


def _gradescope(commands: Commands) -> None:
    text = "make the zip that Gradescope takes as an autograder"
    parser = _add(commands, "gradescope", "grading.classroom.gradescope:gradescope", text)
    parser.add_argument("slug", metavar="SLUG", help="which exercise (see `unblocked list`)")
    parser.add_argument("out", metavar="ZIP", type=_path, help="the file to write")


def _classroom(commands: Commands) -> None:
    text = "let GitHub Classroom mark each push to a learners' copy"
    parser = _add(commands, "classroom", "grading.classroom.github:classroom", text)
    parser.add_argument("folder", metavar="COPY", type=_path, help="made by --for-learners")
    parser.add_argument("slugs", metavar="SLUG", nargs="+", help="the exercises of the assignment")


def _build(commands: Commands) -> None:
    text = "make notebooks/, exercises/, solutions/ and the README's map from course/"
    parser = _add(commands, "build", "cli:build", text)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of step")
    text = "also make a copy without solutions, or bring one up to date"
    way.add_argument("--for-learners", metavar="OUT", type=_path, help=text)
    text = "where the copy will be, https://github.com/OWNER/NAME, for its links to Binder"
    parser.add_argument("--address", metavar="URL", help=text)


def build(args: argparse.Namespace) -> int:
    """Build the course; with an address, also lead the links of the learners' copy there."""
    from unblocked.authoring.build import build

    if args.address is not None and args.for_learners is None:
        raise CourseError("--address is that of the learners' copy: give --for-learners, too.")
    code = build(check=args.check, for_learners=args.for_learners)
    if args.address is not None and code == 0:
        from unblocked.authoring.handout import readdress
        from unblocked.course import checkout

        readdress(checkout(), args.for_learners, args.address)
    return code


def _new(commands: Commands) -> None:
    text = "make an empty room that already fails its contract"
    parser = _add(commands, "new", "authoring.new:new_exercise", text, "slug")
    parser.add_argument("what", choices=["exercise"])
    parser.add_argument("slug", metavar="SLUG")


def _race(commands: Commands) -> None:
    text = "the headline comparison, and as a picture"
    parser = _add(commands, "race", "show.compare.race:race", text)
    parser.add_argument("--users", metavar="N", type=_at_least_one, nargs="+", default=[50])
    parser.add_argument("--out", metavar="FILE", type=_path, help="write the picture here (PNG)")


def _site(commands: Commands) -> None:
    text = "the course as static pages to read online"
    parser = _add(commands, "site", "authoring.site:site", text, "out")
    parser.add_argument("out", metavar="OUT", type=_path)


def _path(text: str) -> Path:
    """Return a path; refuse an empty one, which would be the current directory by accident."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a path is needed: '' names none (an unset variable?)")
    return Path(text)


def _percent(text: str) -> float:
    try:
        found = float(text.removesuffix("%").replace(",", "."))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage from 0 to 100")
    return found


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


_COMMANDS = (
    _lab, _list, _check, _reset, _save, _restore, _grade, _total, _gradescope, _classroom,
    _build, _new, _race, _site,
)  # fmt: skip
