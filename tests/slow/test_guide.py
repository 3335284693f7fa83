"""README, INSTRUCTORS and CONTRIBUTING, followed in clean clones: their commands in their order.

What is supplied is what the text says that a reader has: a Python, Git, the platform's files.
The first test knows each command of the three texts: a new one is run, or has a reason not to be.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shlex
import shutil
import subprocess
import urllib.request
import zipfile
from typing import TYPE_CHECKING

import pytest
from machines import (
    REPOSITORY,
    UV,
    clean_environment,
    free_port,
    interpreter,
    run,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

slow = [pytest.mark.slow, pytest.mark.timeout(900)]

ADDRESS = "https://github.com/unblocked-course/unblocked"
README, INSTRUCTORS, CONTRIBUTING = "README.md", "INSTRUCTORS.md", "CONTRIBUTING.md"
TEXTS = {
    name: re.sub(
        r"^( *)````.*?^\1````$", "", (REPOSITORY / name).read_text("utf-8"), flags=re.S | re.M
    )
    for name in (README, INSTRUCTORS, CONTRIBUTING)
}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.S | re.M)
INLINE = re.compile(
    r"`((?:unblocked|python3 start\.py|py start\.py|\.venv/bin/\S+"
    r"|\.ci/run|dask|nbgrader|ruff|mypy)"
    r"(?: [^`]*)?)`"
)

SCRIPT = (
    "Set up, once",
    "Hand the course out",
    "Laptops, Moodle, Canvas",
    "Late, corrected, added up",
    "Gradescope and GitHub Classroom",
    "Exercises of your own",
)
"""Sections of INSTRUCTORS that are one script here; its sections on a hub, nbgrader: below."""
ELSEWHERE = {
    "A class on JupyterHub": "tests/slow/test_hub.py",
    "nbgrader": "tests/slow/test_nbgrader.py",
}
"""Sections whose commands are taken from the text there."""
MENTIONED = {
    # README: in a terminal of JupyterLab, in the clone
    "unblocked list": "run below",
    "unblocked check SLUG FILE": "run below",
    "unblocked reset SLUG": "run below",
    "unblocked save FILE.zip": "run below",
    "unblocked restore FILE": "run below",
    "unblocked build --for-learners OUT": "the script of INSTRUCTORS",
    "unblocked grade SUBMISSIONS --out MARKS": "the script of INSTRUCTORS",
    "unblocked build --check": "run below",
    "unblocked build": "run below",
    "ruff check": "run below",
    "ruff format": "run below",
    "mypy": "run below",
    # CONTRIBUTING's exercise
    "unblocked new exercise two-at-once": "tests/authoring/test_contributing.py",
    "unblocked check two-at-once course/exercises/two-at-once/solution.py": (
        "tests/authoring/test_contributing.py"
    ),
    # INSTRUCTORS: named again
    "unblocked": "a name, and no command",
    "unblocked reset": "README",
    "unblocked grade": "the script of INSTRUCTORS",
    "unblocked grade … --course FOLDER": "the script of INSTRUCTORS",
    "unblocked grade FOLDER --out marks": "the script of INSTRUCTORS",
    "unblocked grade submitted --out marks": "tests/slow/test_nbgrader.py",
    "unblocked grade --help": "run below",
    "python3 start.py test": "run below, as far as its tests are collected",
}
NOT_RUN = {
    "unblocked site OUT": "runs all lessons, for minutes; tests/authoring/test_site.py, a few",
    "py start.py": "Windows",
    "py start.py setup": "Windows",
    "unblocked race": "some minutes at 50 callers; its parts are tested in tests/show",
    "python3 start.py bench fanout --quick": "minutes; tests/bench runs the studies small",
    "python3 start.py bench [NAME…]": "the same, for an hour",
    "python3 start.py test -m slow": "this test is one of them",
    "python3 start.py test -m whole": "minutes of marking, before a release",
    "python3 start.py test tests/course -k slug": "a lesson that is yet to be written",
    "python3 start.py test tests/course tests/grading -k two-at-once": (
        "the exercise is built and marked in tests/authoring/test_contributing.py"
    ),
    ".ci/run": "the whole suite, of which this is a part",
    ".venv/bin/python .ci/pins.py upgrade": "asks the package index for what is newest today",
    ".venv/bin/python .ci/pins.py newest": "the whole suite in another environment",
    ".venv/bin/python .ci/pins.py oldest": "the whole suite in another environment",
    "dask scheduler --protocol tls": "certificates: tests/grading/test_cluster.py has some",
    "nbgrader release_feedback": "needs nbgrader's exchange, a folder that a whole class shares",
}
"""What needs another machine, another account, or hours; each with its reason."""


def sections(name: str) -> dict[str, str]:
    """The text below each heading of the second level; what is above the first, as ''."""
    first, *others = re.split(r"^## (.*)\n", TEXTS[name], flags=re.M)
    return {"": first, **dict(zip(others[::2], others[1::2], strict=True))}


def blocks(name: str, section: str) -> list[tuple[str, str]]:
    """The fenced blocks of a section: what kind of text, and the text."""
    found = FENCE.findall(sections(name)[section])
    return [(kind, re.sub(rf"^{indent}", "", text, flags=re.M)) for indent, kind, text in found]


def lines_of(text: str) -> list[str]:
    """The commands of a block, without what is said beside them."""
    return [line.partition("  #")[0].strip() for line in text.splitlines()]


def test_each_command_of_the_texts_is_run_or_has_a_reason_not_to_be() -> None:
    fenced: dict[str, list[str]] = {}
    for name in TEXTS:
        for section in sections(name):
            texts = [text for kind, text in blocks(name, section) if not kind]
            if texts:
                fenced[section] = [line for text in texts for line in lines_of(text)]
    here = {"Two commands", "Many machines", *SCRIPT}
    pins = fenced.pop("Dependencies are moved on purpose")
    assert fenced.keys() == here | ELSEWHERE.keys()
    bare = {name: FENCE.sub("", text) for name, text in TEXTS.items()}
    mentioned = {
        re.sub(r"\s+", " ", found) for text in bare.values() for found in INLINE.findall(text)
    }
    mentioned -= {line for lines in fenced.values() for line in lines} - MENTIONED.keys()
    compiled = ".venv/bin/python .ci/pins.py compile"
    assert compiled in pins
    assert mentioned | {*pins} - {compiled} == MENTIONED.keys() | NOT_RUN.keys()
    assert not MENTIONED.keys() & NOT_RUN.keys()
    for other in {*ELSEWHERE.values(), *(w for w in MENTIONED.values() if w.startswith("tests/"))}:
        assert (REPOSITORY / other).is_file()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a reader's machine has: a Python that is new enough, on PATH; a home of its own."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "python3").symlink_to(interpreter("3.11"))
    shutil.copy(UV, folder / "uv")
    path = f"{folder}:{clean_environment()['PATH']}"
    return clean_environment(PATH=path, UNBLOCKED_HOME=str(folder / "home"))


def follow(script: str, cwd: Path, environment: dict[str, str]) -> str:
    """Run a script to its end; what it wrote."""
    return run("bash", "-euo", "pipefail", "-c", script, cwd=cwd, env=environment)


def clone(folder: Path) -> str:
    """The guide's first command, with this repository at the public address."""
    return f"git clone {shlex.quote(f'file://{REPOSITORY}')} {shlex.quote(str(folder))}"


def class_files(folder: Path) -> None:
    """What an instructor has from Moodle: a list, and a zip of what was handed in."""
    (folder / "class.csv").write_text(
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\n"
        "Participant 71,Ada Byron,ada@example.org,-,,20.00,\n"
        "Participant 72,Bo Berg,bo@example.org,-,,20.00,\n"
    )
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        for who, source in (("Ada Byron_71", "solutions"), ("Bo Berg_72", "exercises")):
            text = (REPOSITORY / source / "fan-out.ipynb").read_bytes()
            archive.writestr(f"{who}_assignsubmission_file/fan-out.ipynb", text)
        archive.extractall(folder / "submissions")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, machine: dict[str, str]) -> Path:
    """INSTRUCTORS from its first command to its exercises of one's own, as one script."""
    folder = tmp_path_factory.mktemp("instructor")
    script = []
    for section in SCRIPT:
        for kind, text in blocks(INSTRUCTORS, section):
            if kind == "csv":
                script.append(f"cat > by-hand.csv <<'END'\n{text}END\n")
            elif not kind:
                script.append(text)
        if section == SCRIPT[0]:
            script.append(f"cp -r {shlex.quote(str(folder / 'given'))}/* .\n")
    (folder / "given").mkdir()
    class_files(folder / "given")
    whole = "".join(script)
    assert whole.startswith(f"git clone {ADDRESS}\ncd unblocked\n")
    follow(
        whole.replace(f"git clone {ADDRESS}\n", clone(folder / "unblocked") + "\n"), folder, machine
    )
    return folder / "unblocked"


class TestInstructors:
    pytestmark = slow

    def test_marks_are_where_they_belong(self, course: Path) -> None:
        with (course / "total.csv").open(newline="", encoding="utf-8") as file:
            totals = {row["first_name"]: row["total"] for row in csv.DictReader(file)}
        assert totals == {"Ada": "9", "Bo": "0"}
        lines = (course / "marks" / "results.jsonl").read_text("utf-8").splitlines()
        assert {json.loads(line)["exercise"] for line in lines} == {"fan-out"}
        assert (course / "exam-marks" / "grades.csv").is_file()

    def test_the_copy_is_handed_out_and_brought_up_to_date(
        self, course: Path, machine: dict[str, str]
    ) -> None:
        """Its links lead to the class, also after the same command in the middle of a term."""
        copy = course / "class-course"
        statement = copy / "exercises" / "one-client.ipynb"
        title = "# Exercise: One client"
        handed_out = statement.read_text("utf-8")
        dated = handed_out.replace(title, f"{title}, due on Friday", 1)
        assert dated != handed_out
        statement.write_text(dated, "utf-8")
        [[_, first], [_, second]] = blocks(INSTRUCTORS, "Hand the course out")
        for command in (first, second, first):
            said = follow(f". .venv/bin/activate\n{command}", course, machine)
            assert "Kept as you changed them: exercises/one-client.ipynb" in said
            text = (copy / "README.md").read_text("utf-8")
            links = set(re.findall(r"mybinder\.org/v2/gh/([^/]+/[^/]+)/", text))
            assert links == {"YOUR-ACCOUNT/YOUR-CLASS"}
        assert statement.read_text("utf-8") == dated
        test = f"{sections(INSTRUCTORS)['Hand the course out']}"
        assert "`python3 start.py test` in the copy" in test
        said = follow("python3 start.py test -k one-client", copy, machine)
        assert re.search(r"\b1 passed", said)

    def test_what_gradescope_is_given_marks(self, course: Path, machine: dict[str, str]) -> None:
        """`run_autograder` on a submission, with Gradescope's folders in a folder of ours."""
        with zipfile.ZipFile(course / "fan-out-autograder.zip") as archive:
            archive.extractall(course / "autograder" / "source")
            script = archive.read("run_autograder").decode()
        (course / "autograder" / "results").mkdir()
        shutil.copytree(course / "submissions", course / "autograder" / "submission")
        shutil.rmtree(next((course / "autograder" / "submission").glob("Bo*")))
        (course / "autograder" / "source" / ".venv").symlink_to(course / ".venv")  # of setup.sh
        script = script.replace("/autograder", str(course / "autograder"))
        source = str(course / "autograder" / "source" / "src")
        follow(script.partition("\n")[2], course, machine | {"PYTHONPATH": source})
        results = json.loads((course / "autograder/results/results.json").read_text("utf-8"))
        assert results["score"] == 10, results

    def test_what_github_classroom_runs_marks(self, course: Path, machine: dict[str, str]) -> None:
        import yaml

        text = (course / "class-course/.github/workflows/classroom.yml").read_text("utf-8")
        [job] = yaml.safe_load(text)["jobs"].values()
        steps = [step["run"] for step in job["steps"] if "run" in step]
        output = course / "github-output"
        github = machine | {"GITHUB_OUTPUT": str(output)}
        follow("\n".join(steps), course / "class-course", github)
        results = [line for line in output.read_text().splitlines() if line.startswith("result=")]
        assert len(results) == len(steps) - 1 == 2  # fan-out and one-client, after the set-up

    def test_many_machines(self, course: Path, machine: dict[str, str], tmp_path: Path) -> None:
        """The scheduler, a worker and the class, by the section's own commands on one machine."""
        (_, install), (_, start), (_, mark), *_ = blocks(INSTRUCTORS, "Many machines")
        scheduler, worker = lines_of(start)
        activate = f". {course}/.venv/bin/activate\n"
        follow(activate + install, course, machine)
        port = free_port()
        where = f"tcp://127.0.0.1:{port}"
        shutil.move(course / "marks", course / "marks-before")
        processes = []
        with (tmp_path / "log").open("w+") as log:
            try:
                for command in (f"{scheduler} --port {port}", worker):
                    script = activate + "exec " + command.replace("tcp://SCHEDULER:8786", where)
                    processes.append(
                        subprocess.Popen(
                            ["bash", "-c", script],
                            cwd=tmp_path,
                            env=machine,
                            stdout=log,
                            stderr=subprocess.STDOUT,
                        )
                    )
                follow(activate + mark.replace("tcp://SCHEDULER:8786", where), course, machine)
            finally:
                for process in processes:
                    process.terminate()
                for process in processes:
                    process.wait()
        lines = (course / "marks" / "results.jsonl").read_text("utf-8").splitlines()
        assert sorted(json.loads(line)["points"] for line in lines) == [0, 10]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, machine: dict[str, str]) -> Path:
    """A clone, in which nothing is set up."""
    folder = tmp_path_factory.mktemp("reader") / "unblocked"
    follow(clone(folder), folder.parent, machine)
    return folder


def page_at(address: str) -> bytes:
    """What it serves; nothing while nobody listens there: Jupyter tells its address early."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(address, timeout=60) as page:
        return bytes(page.read())
    return b""


class TestReadmeAndContributing:
    pytestmark = slow

    def test_two_commands(self, checkout: Path, machine: dict[str, str], tmp_path: Path) -> None:
        [(_, text)] = blocks(README, "Two commands")
        start, test = lines_of(text)
        log = tmp_path / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                shlex.split(start),
                cwd=checkout,
                env=machine | {"BROWSER": "true"},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        address = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+/lab\S*token=\w+")
        try:
            wait_for(
                lambda: address.search(log.read_text()) or process.poll() is not None,
                seconds=300,
                what=start,
            )
            found = address.search(log.read_text())
            assert found is not None, log.read_text()
            wait_for(lambda: b"JupyterLab" in page_at(found[0]), seconds=60, what=found[0])
        finally:
            process.terminate()
            process.wait()
        said = follow(f"{test} --collect-only -q", checkout, machine)  # all of it takes minutes
        assert int(re.findall(r"(\d+)(?:/\d+)? tests collected", said)[0]) > 500

    def test_what_readme_and_contributing_mention(
        self, checkout: Path, machine: dict[str, str], tmp_path: Path
    ) -> None:
        """In a terminal of JupyterLab, which has the course's programs on its PATH."""
        terminal = machine | {"PATH": f"{checkout / '.venv/bin'}:{machine['PATH']}"}
        given = {
            "unblocked check SLUG FILE": "unblocked check one-client solutions/one-client.ipynb",
            "unblocked reset SLUG": "unblocked reset one-client",
            "unblocked save FILE.zip": f"unblocked save {tmp_path}/mine.zip",
            "unblocked restore FILE": f"unblocked restore {tmp_path}/mine.zip",
            "ruff format": "ruff format --check",
        }
        commands = [command for command, how in MENTIONED.items() if how == "run below"]
        script = "python3 start.py test --version\n"  # this brings what the tools of an author need
        script += "\n".join(given.get(command, command) for command in commands)
        script += "\n.venv/bin/python .ci/pins.py compile\ngit status --porcelain\n"
        said = follow(script, checkout, terminal)
        assert "one-client: 10 of 10 points" in said
        changed = [line for line in said.splitlines() if re.match(r" ?M .*\.(txt|yml)$", line)]
        assert changed == []  # the pins are as they are compiled
