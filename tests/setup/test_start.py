"""start.py: what it installs, that a second start does nothing, and what it says when it cannot."""

from __future__ import annotations

import ast
import errno
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from .conftest import Machine

# Started before start.py: writes down every process that Python starts, then lets none replace it.
WATCH = """
import os, runpy, sys
def hook(event, args):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.system", "os.fork", "socket.connect"):
        print("EVENT", event, args, flush=True)
    if event == "os.exec":
        print("BECOMES", *args[1], sep="\\n", flush=True)
        os._exit(0)
sys.addaudithook(hook)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def watched(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", WATCH, str(folder / "start.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stdout + done.stderr


def test_a_learner_gets_no_test_tools(start: ModuleType, machine: Machine) -> None:
    assert start.main(["setup"]) == 0
    (install,) = [command for command in machine.installs if "-e" in command]
    assert install[-4:] == ["-c", "requirements.txt", "-e", "."]


def test_tests_get_them(start: ModuleType, machine: Machine) -> None:
    start.setup(["dev"])
    assert machine.installs[-1][-1] == ".[dev]"


def test_uv_is_used_when_it_is_there(
    start: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: "/opt/uv" if name == "uv" else None)
    start.setup([])
    assert [command[0] for command in machine.commands] == ["/opt/uv", "/opt/uv"]
    assert sys.executable in machine.commands[0]


@pytest.mark.parametrize("first", [[], ["dev"]])
@pytest.mark.parametrize("command", ["setup", "lab"])
@pytest.mark.skipif(os.name != "posix", reason="elsewhere JupyterLab is a child process")
def test_a_second_start_starts_no_process(
    start: ModuleType, machine: Machine, folder: Path, first: list[str], command: str
) -> None:
    start.setup(first)
    said = watched(folder, *([] if command == "lab" else [command]))
    assert "EVENT" not in said
    if command == "lab":
        becomes = said.split("BECOMES\n")[1].splitlines()
        assert becomes[0] == str(folder / ".venv/bin/python")
        assert "lab" in " ".join(becomes)
    else:
        assert "Ready" in said


def test_test_after_setup_adds_the_tools_once(start: ModuleType, machine: Machine) -> None:
    for extras in ([], ["dev"], ["dev"], []):
        start.setup(extras)
    assert [command[-1] for command in machine.installs if "-e" in command] == [".", ".[dev]"]


def test_what_is_added_stays(start: ModuleType, machine: Machine) -> None:
    """Studies after tests, then tests again: nothing is set up a second time."""
    for extras in (["dev"], ["bench"], ["dev"], ["bench", "dev"]):
        start.setup(extras)
    targets = [command[-1] for command in machine.installs if "-e" in command]
    assert targets == [".[dev]", ".[bench,dev]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.txt", "jupyter/overrides.json"])
def test_what_changed_is_installed(
    start: ModuleType, machine: Machine, folder: Path, name: str
) -> None:
    start.setup([])
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    before = len(machine.installs)
    start.setup([])
    assert len(machine.installs) == before + 1


def test_a_failed_set_up_is_done_again(
    start: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(command: list[str], **_: str) -> None:
        raise start.Stop("no network")

    monkeypatch.setattr(start, "run", fails)
    assert start.main(["setup"]) == 1
    monkeypatch.setattr(start, "run", machine.run)
    assert start.main(["setup"]) == 0
    assert machine.installs


def test_a_venv_whose_python_has_gone_is_made_anew(
    start: ModuleType, machine: Machine, folder: Path
) -> None:
    start.setup([])
    start.python_of_venv().unlink()
    (folder / ".venv" / "left-over").touch()
    start.setup([])
    assert sum("venv" in command for command in machine.commands) == 2
    assert not (folder / ".venv" / "left-over").exists()


def pip_in(folder: Path, *files: str) -> Path:
    place = "Lib" if os.name == "nt" else "lib/python3.12"
    packages = folder / ".venv" / place / "site-packages"
    for name in files:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).touch()
    return packages


@pytest.mark.parametrize(
    "left", [["pip/__init__.py"], ["pip/__init__.py", "pip-26.0.dist-info/METADATA"]]
)
def test_half_a_pip_is_put_in_anew(
    start: ModuleType, machine: Machine, folder: Path, left: list[str]
) -> None:
    """Ctrl-C in the first set-up; with its METADATA there, ensurepip would be content with it."""
    machine.run(["venv"])
    packages = pip_in(folder, *left)
    start.setup([])
    assert any("ensurepip" in command for command in machine.commands)
    assert list(packages.iterdir()) == []


def test_a_whole_pip_stays(start: ModuleType, machine: Machine, folder: Path) -> None:
    machine.run(["venv"])
    packages = pip_in(folder, "pip/__main__.py", "pip-26.0.dist-info/RECORD", "pip_of_others/x")
    start.setup([])
    assert not any("ensurepip" in command for command in machine.commands)
    assert len(list(packages.iterdir())) == 3


def test_a_moved_folder_is_set_up_anew(
    start: ModuleType, machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.setup([])
    text = start.STAMP.read_text("utf-8").replace("mein", "dein")
    start.STAMP.write_text(text.replace('"wants": "', '"wants": "of another place '), "utf-8")
    start.setup([])
    assert sum("venv" in command for command in machine.commands) == 2


# --- what it says ----------------------------------------------------------------------------

MESSAGES = {
    "disk is full": [
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "error: failed to write to file `x`: No space left on device (os error 28)",
        "OSError: [WinError 112] There is not enough space on the disk",
    ],
    "no network or a proxy": [
        "WARNING: Retrying (Retry(total=4)) after connection broken by 'NameResolutionError(...)': "
        "Failed to resolve: [Errno -3] Temporary failure in name resolution",
        "NewConnectionError: Failed to establish a new connection: [Errno 111] Connection refused",
        "error: Request failed after 3 retries\n  Caused by: error sending request for url",
        "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))",
    ],
    "certificate": [
        "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self-signed'))",
        "invalid peer certificate: UnknownIssuer",
    ],
    "may not be written": ["error: [Errno 13] Permission denied: '.venv/bin/jupyter'"],
}


@pytest.mark.parametrize(
    ("expected", "output"),
    [(expected, output) for expected, outputs in MESSAGES.items() for output in outputs],
)
def test_known_failures_are_one_sentence_with_a_mend(
    start: ModuleType, expected: str, output: str
) -> None:
    sentence = start.explain(["Collecting jupyterlab", *output.splitlines(), "ERROR: failed"])
    assert expected in sentence
    assert "\n" not in sentence
    assert sentence.endswith((start.AGAIN + ".", start.AGAIN + " there."))


def test_an_unknown_failure_shows_what_was_written(start: ModuleType) -> None:
    code = "print('the wheel is round'); raise SystemExit(3)"
    with pytest.raises(start.Stop, match="the wheel is round"):
        start.run([sys.executable, "-c", code])


def test_a_full_disk_is_seen_before_anything_is_loaded(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 12_000_000)
    monkeypatch.setattr(start.shutil, "disk_usage", lambda path: usage)
    assert start.main(["setup"]) == 1
    assert "only 12 MB free" in capsys.readouterr().err
    assert not start.VENV.exists()


def test_a_disk_that_fills_up_while_python_writes(
    start: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(command: list[str], **_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(start, "run", full)
    with pytest.raises(start.Stop, match="disk is full"):
        start.setup([])


def test_no_network_for_real(folder: Path) -> None:
    """pip is sent to a port where nobody listens; the proxies of this machine are left out."""
    keep = {name: value for name, value in os.environ.items() if not is_of_pip(name)}
    env = {**keep, "PATH": os.defpath, "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    env |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, str(folder / "start.py"), "setup"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no network" in done.stderr


def is_of_pip(name: str) -> bool:
    return name.upper().startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_or_ensurepip(
    start: ModuleType,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
) -> None:
    """As on Debian without python3-venv, where there is neither a pip nor apt-get to get one."""
    missing = {module, "ensurepip", "pip"}
    monkeypatch.setattr(
        start.importlib.util, "find_spec", lambda name: None if name in missing else name
    )
    monkeypatch.setattr(start.subprocess, "call", no_such_command)
    assert start.main(["setup"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "sudo apt install python3-venv" in said


def no_such_command(*_: object, **__: object) -> int:
    raise FileNotFoundError


def test_a_pip_of_the_system_serves_when_ensurepip_is_missing(
    start: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        start.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name
    )
    start.setup([])
    python = str(start.python_of_venv())
    assert machine.installs[-1][:5] == [sys.executable, "-m", "pip", "--python", python]


def test_an_old_python_is_told_so(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 6))
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    assert start.main([]) == 1
    assert "Python 3.9 is too old, 3.11 or newer is needed" in capsys.readouterr().err


def test_an_old_python_with_uv_goes_on_with_a_newer_one(
    start: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[str] = []
    monkeypatch.setattr(start, "__file__", "../here/start.py")  # as an old Python has it
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 6))
    monkeypatch.setattr(start.shutil, "which", lambda name: "uv")
    monkeypatch.setattr(start, "become", lambda *words: became.extend(words) or 0)
    assert start.main(["setup"]) == 0
    assert became[0] == "uv"
    assert became[-2:] == [str(folder / "start.py"), "setup"]
    assert ">=3.11" in became


def test_an_old_python_can_read_the_file(folder: Path) -> None:
    ast.parse((folder / "start.py").read_text("utf-8"), feature_version=(3, 6))


def test_tools_that_debian_does_not_give_stop_no_test(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a network the tests that need a tool are skipped, and say so."""

    def fail(*command: object, **environment: str) -> None:
        raise start.Stop("There is no network.")

    there = {"apt-get": "/usr/bin/apt-get"}
    monkeypatch.setattr(start.shutil, "which", there.get)
    monkeypatch.setattr(start.os, "geteuid", lambda: 0)
    monkeypatch.setattr(start, "run", fail)
    start.install_debian_tools("test")
    said = capsys.readouterr().out
    assert "chromium" in said
    assert "skipped. There is no network." in said


def test_only_the_standard_library_is_imported(folder: Path) -> None:
    tree = ast.parse((folder / "start.py").read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names if isinstance(node, ast.Import)}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["-h"], 0), (["tests"], 2), (["lab"], 2)]
)
def test_usage(
    start: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    assert start.main(arguments) == code
    out = capsys.readouterr()
    assert "python3 start.py test" in (out.out if code == 0 else out.err)


def test_jupyterlab_is_started_as_the_command_does(start: ModuleType, folder: Path) -> None:
    """`tests/authoring/test_lab.py` asks jupyter_server what it makes of these."""
    root = f"--ServerApp.root_dir={folder}"
    address = "--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb"
    command = start.COMMANDS["lab"](["--no-browser"])
    assert command[:4] == ["-m", "jupyterlab", root, address]
    assert command[-1] == "--no-browser"


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_exit_code_is_that_of_the_tests(folder: Path, code: int) -> None:
    script = "import runpy, sys; start = runpy.run_path(sys.argv[1]); sys.exit("
    script += f"start['become'](sys.executable, '-c', 'raise SystemExit({code})'))"
    command = [sys.executable, "-c", script, str(folder / "start.py")]
    assert subprocess.run(command, check=False).returncode == code


def test_a_terminal_in_jupyterlab_knows_our_command(folder: Path) -> None:
    script = "import os, runpy, sys; start = runpy.run_path(sys.argv[1]); "
    script += "start['become'](sys.executable, '-c', 'import os; print(os.environ[\"PATH\"])')"
    command = [sys.executable, "-c", script, str(folder / "start.py")]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert path.split(os.pathsep)[0] == str(folder / ".venv" / "bin")


def test_arguments_reach_pytest_and_bench_as_they_are(start: ModuleType) -> None:
    assert start.COMMANDS["test"](["-k", "a or b"]) == ["-m", "pytest", "-k", "a or b"]
    assert start.COMMANDS["bench"](["pool"]) == ["-m", "bench", "pool"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ci_says_what_the_readme_says() -> None:
    """`.ci/run` is the test command of the README, with the slow; what failed gets a second run."""
    root = Path(__file__).resolve().parents[2]
    lines = (root / ".ci/run").read_text("utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == [
        "set -uo pipefail",
        'cd "$(dirname "$0")/.."',
        "python3 start.py test -m 'not whole' && exit",
        'echo "Once more, alone: what failed."',
        "exec python3 start.py test -m 'not whole' -n 0 --lf --lfnf none",
    ]
    assert "python3 start.py test" in (root / "README.md").read_text("utf-8")
    assert subprocess.run(["bash", "-n", root / ".ci/run"], check=False).returncode == 0
