"""Answers are marked where no process can be forked, as on Windows: by processes started for them.

Every Python here, the marker's and the answers', lacks what Windows lacks (`without_fork.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT, processes_named, until

from unblocked import course
from unblocked.grading.sandbox import processes, spawning
from unblocked.grading.sandbox.child import channel
from unblocked.grading.sandbox.pool import NotRun, Refused, Sandbox
from unblocked.grading.sandbox.run import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from unblocked.course import Room

HERE = Path(__file__).parent


@pytest.fixture
def poorer(tmp_path: Path) -> dict[str, str]:
    """An environment in which every Python lacks what Windows lacks, with a folder of its own."""
    shutil.copy(HERE / "without_fork.py", tmp_path / "sitecustomize.py")
    own = tmp_path / "temporary"
    own.mkdir()
    found = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": found, "TMPDIR": str(own)}


Check = tuple[list[str], dict[str, str]]


@pytest.fixture
def command(relay: Room, poorer: dict[str, str], tmp_path: Path) -> Callable[[str], Check]:
    """How the small exercise's answer with this source is checked."""
    answer = tmp_path / "answer.py"

    def of(source: str) -> Check:
        answer.write_text(f"# exercise: relay\n{source}", "utf-8")
        marking = (
            "import asyncio, sys, json; from pathlib import Path; from unblocked import course;"
            "from unblocked.grading.judge import mark; from unblocked.grading.sandbox import pool\n"
            "async def main():\n"
            "    task = mark.exercise(course.room('relay', Path(sys.argv[1])))\n"
            "    async with pool.Sandbox() as sandbox:\n"
            "        print(json.dumps(await mark.mark(task, sys.argv[2], sandbox)))\n"
            "asyncio.run(main())\n"
        )
        folder = str(relay.folder.parents[1])
        return [sys.executable, "-c", marking, folder, answer.read_text("utf-8")], poorer

    return of


@pytest.fixture
def result(command: Callable[[str], Check]) -> Callable[[str], dict[str, Any]]:
    """The result of an answer to the small exercise; nothing of the run is left."""

    def of(source: str) -> dict[str, Any]:
        words, env = command(source)
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert os.listdir(env["TMPDIR"]) == []
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return of


def check(slug: str, file: Path, env: dict[str, str]) -> dict[str, Any]:
    words = [sys.executable, "-m", "unblocked", "check", slug, str(file), "--json"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_solution_gets_full_marks_and_the_starter_less(poorer: dict[str, str]) -> None:
    room = course.room("fix-the-article")
    best = check(room.slug, room.solution, poorer)
    assert (best["points"], best["isolation"]) == (best["max_points"], "limits"), best
    awaited = next(path for path in room.wrong if path.stem == "awaited_not_entered")
    least = check(room.slug, awaited, poorer)
    assert (least["outcome"], least["isolation"]) == ("graded", "limits")
    assert least["points"] < least["max_points"] / 2
    assert os.listdir(poorer["TMPDIR"]) == []


@pytest.mark.parametrize(
    ("source", "outcome", "said"),
    [
        ("import os\nos._exit(3)", "crashed", "ended its own process"),
        ("while True: pass", "timeout", "did not come to its end"),
        ("kept = []\nwhile True: kept.append(bytearray(10**7))", "out-of-memory", "1 GiB"),
        ("raise ValueError('no ✗')", "crashed", "ValueError: no ✗ (line 2 of your answer)"),
    ],
)
def test_answers_that_cannot_be_run(
    result: Callable[[str], dict[str, Any]], source: str, outcome: str, said: str
) -> None:
    found = result(source)
    assert (found["outcome"], found["points"]) == (outcome, 0)
    assert said in found["checks"][0]["message"]


def test_a_wrong_answer_loses_what_it_gets_wrong(result: Callable[[str], dict[str, Any]]) -> None:
    one_by_one = RIGHT.replace("async def root():", "async def root():\n  async with ONE:")
    found = result("import asyncio\nONE = asyncio.Lock()\n" + one_by_one)
    failed = [check["name"] for check in found["checks"] if not check["passed"]]
    assert failed == ["two callers at once"], found


def test_what_an_answer_leaves_behind_ends_with_it(
    result: Callable[[str], dict[str, Any]],
) -> None:
    leave = (
        "import subprocess, sys\n"
        "quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}\n"
        "subprocess.Popen(['sleep', '86381'], **quiet)\n"
        "subprocess.Popen(['sh', '-c', 'sleep 86382 &'], start_new_session=True)\n"
    )
    found = result(leave + RIGHT)
    assert [check["passed"] for check in found["checks"][:2]] == [True, True]
    assert processes_named("86381") == processes_named("86382") == []


def test_a_marker_that_is_killed_leaves_no_process(command: Callable[[str], Check]) -> None:
    words, env = command("print('at work')\nopen('here', 'w').close()\nwhile True: pass")
    marker = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL)
    until(lambda: any(Path(env["TMPDIR"]).glob("*/here")))
    marker.send_signal(signal.SIGKILL)
    marker.wait()
    until(lambda: not spawned_of(env))


def spawned_of(env: dict[str, str]) -> list[int]:
    """Processes of runs whose environment is this one's."""
    found = []
    for pid in processes_named(spawned_module()):
        try:
            here = env["TMPDIR"].encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        found += [pid] if here else []
    return found


def spawned_module() -> str:
    return "unblocked.grading.sandbox.child.spawned"


def test_a_class_is_marked(poorer: dict[str, str], tmp_path: Path) -> None:
    room = course.room("one-client")
    for learner, file in (("anna", room.solution), ("ben", room.starter)):
        folder = tmp_path / "class" / learner
        folder.mkdir(parents=True)
        shutil.copy(file, folder / "one-client.py")
    out = tmp_path / "marks"
    words = [sys.executable, "-m", "unblocked", "grade", str(tmp_path / "class"), "--out", str(out)]
    subprocess.run([*words, "--workers", "1"], env=poorer, capture_output=True, check=True)
    lines = map(json.loads, (out / "results.jsonl").read_text("utf-8").splitlines())
    points = {line["learner"]: line["points"] for line in lines}
    assert points["anna"] == room.points > points["ben"]


def test_only_the_last_rung_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")

    async def enter(require: str | None) -> str:
        async with Sandbox(require) as sandbox:
            return sandbox.level

    assert asyncio.run(enter(None)) == "limits"
    with pytest.raises(Refused, match="less than 'landlock'"):
        asyncio.run(enter("landlock"))


def test_whoever_does_not_know_the_secret_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impostor(spawning.SpawnedRun):
        def _spawn(self, port: int) -> None:
            self.port = port
            super()._spawn(port)

        async def _await_introduction(self) -> Any:
            for secret in ("", "é", None):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(channel.encode({"secret": secret, "pid": 1}))
                writer.close()
            return await super()._await_introduction()

    async def introduced() -> tuple[int, int]:
        async with Impostor("limits", NOTHING) as run:
            return run.pid, run.process.pid

    pid, started = asyncio.run(introduced())
    assert pid == started != 1


def test_a_process_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "python", lambda _: [sys.executable, "-c", ""])

    async def enter() -> None:
        async with spawning.SpawnedRun("limits", NOTHING):
            pass

    with pytest.raises(NotRun):
        asyncio.run(enter())


def test_rest_is_told_by_cpu_time_where_states_tell_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_PROC", False)
    code = "input()\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        until(lambda: processes.asleep(child.pid))
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        until(lambda: not processes.asleep(child.pid))
        child.kill()
    assert processes.cpu_seconds(child.pid) == 0
