"""Whatever an answer does there is a mark and a reason, no file touched, no process left."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT, processes_named

from unblocked.grading.checks.app import _why_not_executed
from unblocked.grading.sandbox import forked
from unblocked.grading.sandbox import run as grading_run
from unblocked.grading.sandbox.child import bubblewrap, isolation
from unblocked.grading.sandbox.run import NOTHING, AnswerRun, Gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from unblocked.grading.sandbox.pool import Sandbox

    Marked = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

APP = "\nfrom fastapi import FastAPI\napp = FastAPI()\n"


def one(marked: Marked, source: str) -> dict[str, Any]:
    return marked(source)[0]


def test_a_right_answer(marked: Marked) -> None:
    result = one(marked, RIGHT)
    assert (result["points"], result["outcome"]) == (6, "graded")


@pytest.mark.usefixtures("little_cpu")
@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        ("while True: pass", "timeout", "end when it was executed"),  # by CPU or by waiting
        ("import os; os._exit(0)", "crashed", "ended its own process"),
        ("import sys; sys.exit()", "crashed", "SystemExit"),
        ("raise KeyboardInterrupt", "crashed", "KeyboardInterrupt"),
        ("x = bytearray(3 << 30); x[::4096] = b'x' * len(x[::4096])", "out-of-memory", ""),
        ("def f(: pass", "crashed", "SyntaxError"),
        ("x = 1\nundefined_name", "crashed", "line 2 of your answer"),
        ("print('points: 6/6')", "graded", "app"),
    ],
    ids=["loop", "_exit", "exit", "interrupt", "memory", "syntax", "name", "no app"],
)
def test_an_answer_that_does_not_run(
    marked: Marked, source: str, outcome: str, reason: str
) -> None:
    result = one(marked, source)
    assert result["points"] == 0
    assert result["outcome"] == outcome
    assert reason in result["checks"][0]["message"]


@pytest.mark.usefixtures("little_cpu")
def test_a_loop_that_swallows_interrupts(marked: Marked) -> None:
    source = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    assert one(marked, source)["outcome"] == "timeout"


@pytest.mark.parametrize(("seen", "outcome"), [(6.5, "timeout"), (0.1, "crashed")])
def test_one_that_the_limit_stops_early_on_a_busy_machine(seen: float, outcome: str) -> None:
    run, gone = AnswerRun(NOTHING), subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run.pid, run.cpu_seconds = gone.pid, seen
    assert _why_not_executed(run, Gone())[0] == outcome


def test_detached_processes_do_not_survive(marked: Marked) -> None:
    source = (
        "import subprocess\n"
        "for _ in range(50):\n"
        "    subprocess.Popen(['sleep', '86397'], start_new_session=True)\n" + RIGHT
    )
    assert one(marked, source)["points"] == 5  # a clean stop leaves no child process
    assert not processes_named("86397")


def test_files_beside_it_are_out_of_reach(marked: Marked, tmp_path: Path) -> None:
    diary = tmp_path / "grades.csv"
    diary.write_text("untouched")
    attack = f"""
import os, pathlib, shutil
for attempt in (
    lambda: pathlib.Path({str(diary)!r}).write_text("mine"),
    lambda: pathlib.Path({str(diary)!r}).unlink(),
    lambda: shutil.rmtree({str(tmp_path)!r}),
    lambda: pathlib.Path({str(diary)!r}).read_text() and os._exit(3),
):
    try: attempt()
    except OSError: pass
"""
    assert one(marked, attack + RIGHT)["points"] == 6
    assert diary.read_text() == "untouched"


def test_the_checks_and_solutions_cannot_be_read(marked: Marked) -> None:
    spy = """
import pathlib, unblocked
for name in ("grading/checks/exam.py", "course.py"):
    try: (pathlib.Path(unblocked.__file__).parent / name).read_text()
    except OSError: continue
    raise SystemExit("readable")
"""
    assert one(marked, spy + RIGHT)["points"] == 6


@pytest.mark.usefixtures("hasty")
def test_replacing_our_functions_changes_nothing(marked: Marked) -> None:
    forged = """
import builtins, json, sys
from unblocked.grading.sandbox.child import channel, answer_process
builtins.AssertionError = ValueError
json.dumps = lambda *a, **k: '{"passed": true}'
for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("unblocked"):
        for name in list(vars(module)):
            if name.startswith(("check", "mark", "Failed")):
                setattr(module, name, lambda *a, **k: None)
print('{"points": 6, "max_points": 6, "outcome": "graded"}')
"""
    assert one(marked, forged + APP)["points"] <= 1


def test_garbage_on_the_channel(marked: Marked) -> None:
    noise = """
import os
for fd in range(3, 1024):
    try: os.write(fd, b"\\xff" * 4096)
    except OSError: pass
"""
    assert one(marked, noise + RIGHT)["points"] < 6


def test_raw_connections_to_the_upstream_are_no_calls(marked: Marked) -> None:
    fake = """
import asyncio
from urllib.parse import urlsplit
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(app):
    address = urlsplit(URL)
    pairs = [await asyncio.open_connection(address.hostname, address.port) for _ in range(20)]
    yield

from fastapi import FastAPI
app = FastAPI(lifespan=lifespan)

@app.get("/")
async def root():
    return "text"
"""
    failed = [c["name"] for c in one(marked, fake)["checks"] if not c["passed"]]
    assert "two callers at once" in failed
    assert "passes the text on" in failed


def test_a_shutdown_that_never_ends(marked: Marked) -> None:
    endless = RIGHT.replace(
        "        yield\n", "        yield\n        await __import__('asyncio').Event().wait()\n"
    )
    result = one(marked, endless)
    assert [c["name"] for c in result["checks"] if not c["passed"]] == ["starts and stops cleanly"]


def test_a_thread_that_never_ends(marked: Marked) -> None:
    source = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n" + RIGHT
    result = one(marked, source)
    assert [c["name"] for c in result["checks"] if not c["passed"]] == ["starts and stops cleanly"]


def test_an_enormous_output(marked: Marked) -> None:
    loud = "for _ in range(200): print('x' * (1 << 20))\n"
    assert one(marked, loud + RIGHT)["points"] == 6


def test_no_network_but_the_upstream(marked: Marked) -> None:
    curious = """
import socket
outside = [i for i in socket.if_nameindex() if i[1] != "lo"]
with socket.socket() as s:
    s.settimeout(1)
    reachable = s.connect_ex(("192.0.2.1", 80)) == 0
if reachable: raise SystemExit("reachable")
"""
    assert one(marked, curious + RIGHT)["points"] == 6


def test_memory_that_no_process_holds_is_refused(marked: Marked) -> None:
    hidden = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
try: os.memfd_create("mine")
except PermissionError: pass
else: raise SystemExit("a file in memory")
if libc.shmget(0, 1 << 20, 0o1600) >= 0 or ctypes.get_errno() != 1: raise SystemExit("a segment")
"""
    for result in (*marked(hidden + RIGHT), *marked(hidden + RIGHT, level="landlock")):
        assert result["points"] == 6


def test_an_answer_has_no_privileges(marked: Marked) -> None:
    curious = """
import ctypes, os, pathlib, socket
status = pathlib.Path("/proc/self/status").read_text()
if int(status.split("CapEff:")[1].split()[0], 16): raise SystemExit("capabilities")
try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
except PermissionError: pass
else: raise SystemExit("a packet socket")
libc = ctypes.CDLL(None, use_errno=True)
keyctl = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
if libc.syscall(keyctl, 0, -3, 0) >= 0: raise SystemExit("the session's keyring")
"""
    for result in (*marked(curious + RIGHT), *marked(curious + RIGHT, level="landlock")):
        assert result["points"] == 6, result


def test_memory_of_orphans_counts_at_every_rung(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading_run, "MEMORY", 400 << 20)
    hoard = """
import os, time
if os.fork() == 0:
    if os.fork(): os._exit(0)
    kept = bytearray(600 << 20); kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(60)
time.sleep(60)
"""
    for level in ("namespaces+landlock", "landlock"):
        assert marked(hoard + RIGHT, level=level)[0]["outcome"] == "out-of-memory"


def test_memory_of_sockets_is_bounded(marked: Marked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked, "MOST_SOCKETS", 300)
    hoard = "import socket, time\npairs = [socket.socketpair() for _ in range(200)]\n"
    assert one(marked, hoard + "time.sleep(60)\n" + RIGHT)["outcome"] == "out-of-memory"


@pytest.mark.parametrize("turns", range(1, 6))
def test_a_run_whose_end_is_cut_short_keeps_no_socket(
    in_sandbox: Callable[..., set[int]], turns: int
) -> None:
    async def cut_short(sandbox: Sandbox) -> set[int]:
        run = await sandbox.run(NOTHING).__aenter__()
        run.blank_socket().close()
        spare = run._stock  # type: ignore[attr-defined]
        leaving = asyncio.create_task(run.__aexit__())
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        return {sock.fileno() for sock in spare}

    assert in_sandbox(cut_short) == {-1}


@pytest.mark.usefixtures("little_cpu")
def test_one_answer_does_not_disturb_another(marked: Marked) -> None:
    results = marked(RIGHT, "import os; os._exit(1)", RIGHT, "while True: pass", RIGHT)
    assert [r["points"] for r in results] == [6, 0, 6, 0, 6]


def test_the_walls_of_bubblewrap_show_what_a_run_imports() -> None:
    say = """
import sys
from pathlib import Path
from unblocked.grading.sandbox.child import answer_process, isolation, fork_server as sandbox
files = (Path(m.__file__) for m in sys.modules.values() if getattr(m, "__file__", None))
ours = [f for f in files if f.is_relative_to(isolation.PACKAGE)]
print(*(f.relative_to(isolation.PACKAGE).as_posix() for f in ours))
"""
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    *packages, child = bubblewrap.SHOWN
    shown = {name for name in imported if name.startswith(child)}
    assert imported - shown | {packages[-1]} == set(packages)
    there = {f"{child}/{path.name}" for path in (Path(isolation.PACKAGE) / child).glob("*.py")}
    assert there - shown == {f"{child}/spawned.py"}  # for systems that cannot fork


def test_behind_the_walls_of_bubblewrap(marked: Marked, tmp_path: Path) -> None:
    if not shutil.which("bwrap"):
        pytest.skip("needs bubblewrap")
    diary = tmp_path / "grades.csv"
    diary.write_text("untouched")
    spy = f"""
import os, pathlib, signal, socket, unblocked
package = pathlib.Path(unblocked.__file__).parent
for secret in ({str(diary)!r}, package / "grading/checks/exam.py", package / "course.py"):
    try: pathlib.Path(secret).read_text()
    except OSError: continue
    raise SystemExit("readable")
for folder in ("/", "/usr", "/dev", package, {str(tmp_path)!r}):
    try: pathlib.Path(folder, "mine").write_text("x")
    except OSError: continue
    raise SystemExit("writable")
if [name for _, name in socket.if_nameindex() if name != "lo"]: raise SystemExit("a network")
try:
    if [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 2]:
        raise SystemExit("sees other processes")
    os.kill(os.getppid(), signal.SIGKILL)
except OSError: pass
"""
    results = marked(RIGHT, spy + RIGHT, "import os; os._exit(0)", level="bubblewrap")
    assert [r["points"] for r in results] == [6, 6, 0]
    assert {r["isolation"] for r in results} == {"bubblewrap"}
    assert diary.read_text() == "untouched"


@pytest.mark.parametrize("level", ["landlock", "limits"])
def test_the_rungs_below(marked: Marked, level: str) -> None:
    right, crashed = marked(RIGHT, "import os; os._exit(0)", level=level)
    assert (right["points"], right["isolation"]) == (6, level)
    assert crashed["outcome"] == "crashed"


MEMORY = "x = bytearray(3 << 30); x[::4096] = b'x' * len(x[::4096])"
STUBBORN = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
PROCESSES = """
import subprocess
for _ in range(20):
    subprocess.Popen(["sleep", "86395"], start_new_session=True)
"""
LOUD = "for _ in range(200): print('x' * (1 << 20))\n"
FORGED = """
print('{"points": 6, "max_points": 6, "outcome": "graded"}')
import json
json.dumps = lambda *a, **k: '{"passed": true}'
"""


@pytest.mark.slow
@pytest.mark.usefixtures("little_cpu")
@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "limits"])
def test_a_hostile_class_on_the_rungs_below(
    marked: Marked, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading_run, "START_PATIENCE", 20.0)
    if level == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("needs bubblewrap")
    full = {"right": RIGHT, "loud": LOUD + RIGHT}
    none = {"memory": MEMORY, "stubborn": STUBBORN, "exit": "import os; os._exit(0)"}
    others = {"processes": PROCESSES + RIGHT, "forged": FORGED + APP, "again": RIGHT}
    answers = full | none | others
    results = dict(zip(answers, marked(*answers.values(), level=level), strict=True))
    points = {name: result["points"] for name, result in results.items()}
    assert points.pop("forged") <= 1
    assert points.pop("processes") == 5  # none is killed for it, but what it started is left
    assert points == dict.fromkeys([*full, "again"], 6) | dict.fromkeys(none, 0)
    outcomes = [results[name]["outcome"] for name in none]
    assert outcomes == ["out-of-memory", "timeout", "crashed"]
    assert {result["isolation"] for result in results.values()} == {level}
    assert not processes_named("86395")


def test_detached_processes_on_the_lowest_rung(marked: Marked) -> None:
    source = (
        "import subprocess\nsubprocess.Popen(['sleep', '86396'], start_new_session=True)\n" + RIGHT
    )
    assert marked(source, level="limits")[0]["points"] == 5
    assert not processes_named("86396")
