"""`unblocked grade --dask`: a real scheduler and real workers, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme
from conftest import RIGHT, until
from test_classroom import grade, grade_command, hand_in, lines, results

from unblocked.grading.classroom.worker import job
from unblocked.grading.classroom.workers import _ClusterWorker, mark_on_cluster
from unblocked.grading.sandbox.pool import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unblocked.course import Room

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks into /proc")

Process = subprocess.Popen[bytes]


def _started(module: str, *options: str, folder: Path) -> Process:
    command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *options]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=quiet, stderr=quiet)


def _address(file: Path) -> str:
    """What the scheduler has written there, or '' until it is whole."""
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(file.read_text())["address"])
    return ""


@contextlib.contextmanager
def cluster(
    folder: Path, workers: int, protocol: str = "tcp"
) -> Iterator[tuple[str, list[Process]]]:
    """The address of a scheduler that runs in this folder, and its workers."""
    file, here = folder / "scheduler.json", ["--host", "127.0.0.1"]
    options = ["--protocol", protocol, *here, "--port", "0"]
    scheduler = _started("dask_scheduler", *options, "--scheduler-file", str(file), folder=folder)
    until(lambda: bool(_address(file)) or scheduler.poll() is not None)
    options = [
        "--scheduler-file",
        str(file),
        "--no-nanny",
        "--nthreads",
        "1",
        "--host",
        "127.0.0.1",
    ]
    started = [_started("dask_worker", *options, folder=folder) for _ in range(workers)]
    try:
        yield _address(file), started
    finally:
        for process in (*started, scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's TLS settings, as the guide has them, for all that is started."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    issued.cert_chain_pems[0].write_to_path(files["cert"])
    issued.private_key_pem.write_to_path(files["key"])
    setting = "DASK_DISTRIBUTED__COMM__"
    monkeypatch.setenv(f"{setting}REQUIRE_ENCRYPTION", "true")
    monkeypatch.setenv(f"{setting}TLS__CA_FILE", str(files["ca"]))
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        monkeypatch.setenv(f"{setting}TLS__{role}__CERT", str(files["cert"]))
        monkeypatch.setenv(f"{setting}TLS__{role}__KEY", str(files["key"]))


def test_one_that_asks_for_certificates(tmp_path: Path, relay: Room) -> None:
    hand_in(tmp_path / "class", "ada", RIGHT)
    done = grade(tmp_path / "class", tmp_path / "marks", relay, "--dask", "tls://127.0.0.1:1")
    assert done.returncode == 2
    assert "tls://127.0.0.1:1 needs certificates" in done.stderr


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_one_of_its_workers_dies(
    tmp_path: Path, relay: Room, protocol: str, request: pytest.FixtureRequest
) -> None:
    if protocol == "tls":
        request.getfixturevalue("certificates")
    folder, out = tmp_path / "class", tmp_path / "marks"
    for number in range(6):
        hand_in(folder, f"learner-{number}", RIGHT + f"# {number}\n")
    with cluster(tmp_path, 2, protocol) as (address, workers):
        assert address.startswith(f"{protocol}://")
        run = subprocess.Popen(grade_command(folder, out, relay, "--dask", address))
        until(lambda: run.poll() is not None or lines(out / "results.jsonl") > 0)
        os.killpg(workers[0].pid, signal.SIGKILL)
        assert run.wait() == 0
    assert [r["points"] for r in results(out)] == [6] * 6


def test_its_workers_mark_by_the_checks_of_now(tmp_path: Path, variant: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    source = variant.checks.read_text()
    with cluster(tmp_path, 1) as (address, _):
        assert grade(folder, out, variant, "--dask", address).returncode == 0
        variant.checks.write_text(source.replace("points=3", "points=4"))
        assert grade(folder, out, variant, "--dask", address).returncode == 0
    first, second = results(out)
    assert (first["max_points"], second["max_points"]) == (6, 7)
    assert first["course_version"] != second["course_version"]


def test_the_course_may_be_named_from_here(tmp_path: Path, variant: Room) -> None:
    folder, out = tmp_path / "class", tmp_path / "marks"
    hand_in(folder, "ada", RIGHT)
    course = variant.folder.parents[1]
    with cluster(tmp_path, 1) as (address, _):
        command = grade_command(folder, out, variant, "--dask", address)
        command[command.index(str(course))] = "."
        assert subprocess.run(command, cwd=course, check=False).returncode == 0
    assert [r["points"] for r in results(out)] == [6]


@pytest.mark.parametrize("slug", ["relay", "not-there"])
def test_a_machine_with_another_course_is_refused(relay: Room, slug: str) -> None:
    asked = job("ada", slug, "another version", "relay.py", RIGHT.encode())
    course = str(relay.folder.parents[1])
    with pytest.raises(Refused, match=f"has no such version of {slug}"):
        mark_on_cluster(asked, course, "")
    _ClusterWorker.kept.pop((course, "")).stop()
