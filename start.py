"""Set up this course and open it: `python3 start.py`. See USAGE below for the other commands.

Standard library only, and no syntax newer than Python 3.6, so that an old Python can still read
the sentence that says it is too old.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

USAGE = """\
python3 start.py                 set up .venv if needed, open JupyterLab on the first notebook
python3 start.py setup           only set up (what a learner needs)
python3 start.py test [ARG...]   set up with the test tools, run pytest with ARG...
python3 start.py bench [NAME...] the studies behind the figures
(On Windows: py start.py. Options that begin with "-" go to JupyterLab, such as --no-browser.)"""

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "unblocked-setup.json"
FIRST = "notebooks/00-start-here.ipynb"
OLDEST = (3, 11)
NEEDS_BYTES = 1_000_000_000  # the packages with the wheels they are unpacked from
# What a command uses besides the course's own packages: the extras of pyproject.toml, and tools by
# the Debian package that brings them.
EXTRAS = {"test": ["dev"], "bench": ["bench", "dev"]}
DEBIAN = {
    "test": {
        "chromium": "chromium",
        "bwrap": "bubblewrap",
        "debootstrap": "debootstrap",
        "npm": "npm",
    },
    "bench": {"wrk": "wrk"},
}

AGAIN = "then run the same command again"
KNOWN_FAILURES = (
    (
        r"No space left on device|os error 28\b|not enough space on the disk|os error 112\b",
        "The disk is full: free about 1 GB, " + AGAIN + ".",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|UnknownIssuer|invalid peer certificate",
        "The network shows a certificate of its own that Python does not trust: set PIP_CERT and "
        "SSL_CERT_FILE to your organisation's certificate file, " + AGAIN + ".",
    ),
    (
        r"[Nn]ame resolution|getaddrinfo|NewConnectionError|[Nn]etwork is unreachable|dns error"
        r"|[Cc]onnection refused|[Cc]onnect ?[Tt]imeout|[Rr]ead timed out|error sending request"
        r"|No route to host|ProxyError|[Tt]unnel connection failed|\(from versions: none\)",
        "The packages could not be downloaded, as there is no network or a proxy is in the way: "
        "connect, or set HTTPS_PROXY to your proxy, " + AGAIN + ".",
    ),
    (
        r"Permission denied|Access is denied|Read-only file system",
        "This folder may not be written to: copy the course to a folder of your own, "
        + AGAIN
        + " there.",
    ),
)


class Stop(Exception):
    """What is missing, in one sentence with the mend."""


def main(args: list) -> int:
    named = bool(args) and not args[0].startswith("-")
    command, rest = (args[0], args[1:]) if named else ("lab", args)
    if rest[:1] in (["-h"], ["--help"]) and not named:
        print(USAGE)
        return 0
    if command not in ("setup", *COMMANDS) or (named and command == "lab"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        if sys.version_info < OLDEST:
            return with_newer_python(args)
        setup(EXTRAS.get(command, []))
        if command == "setup":
            print("Ready: python3 start.py opens the course.")
            return 0
        install_debian_tools(command)
        return become(python_of_venv(), *COMMANDS[command](rest))
    except Stop as stop:
        print(f"start.py: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstart.py: stopped; the same command goes on from here.", file=sys.stderr)
        return 130


def lab(options: list) -> list:
    """JupyterLab, as `unblocked lab` starts it; its address, printed, is that of the notebook."""
    place = ["--ServerApp.root_dir=" + str(ROOT), "--LabApp.default_url=/lab/tree/" + FIRST]
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return ["-m", "jupyterlab", *place, *as_root, *options]


COMMANDS = {
    "lab": lab,
    "test": lambda options: ["-m", "pytest", *options],
    "bench": lambda names: ["-m", "bench", *names],
}


# --- what is there already ------------------------------------------------------------------


def setup(extras: list) -> None:
    """Make .venv hold what pyproject.toml asks for; free of cost when it does already."""
    found = read_stamp()
    if found.get("wants") == wanted():
        if set(extras) <= set(found["extras"]):
            return
        extras = sorted({*extras, *found["extras"]})
    check_disk()
    if found.get("folder", str(ROOT)) != str(ROOT) or not venv_is_usable():
        shutil.rmtree(str(VENV), ignore_errors=True)  # moved, or its Python is gone or too old
    target = "." if not extras else ".[" + ",".join(extras) + "]"
    print("Setting up .venv, once: about a minute, more on a slow line.", flush=True)
    try:
        install(["-c", "requirements.txt", "-e", target])
    except OSError as error:
        raise Stop(explain([str(error)])) from error
    STAMP.write_text(
        json.dumps({"folder": str(ROOT), "wants": wanted(), "extras": extras}),
        encoding="utf-8",
    )


def read_stamp() -> dict:
    """What the last set-up left, or {} where there was none or its Python is gone."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8")) if python_of_venv().exists() else {}
    except (OSError, ValueError):
        return {}


def wanted() -> str:
    """A digest of all that decides what is installed."""
    digest = hashlib.sha256(str(ROOT).encode("utf-8", "surrogateescape"))
    for name in ("pyproject.toml", "requirements.txt", "jupyter/overrides.json"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def venv_is_usable() -> bool:
    try:
        config = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    version = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)", config, re.M)
    new_enough = bool(version) and (int(version.group(1)), int(version.group(2))) >= OLDEST
    return new_enough and python_of_venv().exists()


def python_of_venv() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_disk() -> None:
    free = shutil.disk_usage(str(ROOT)).free
    if free < NEEDS_BYTES:
        raise Stop(
            f"The disk has only {free // 1_000_000} MB free and the set-up needs about 1 GB: "
            f"make room, {AGAIN}."
        )


# --- installing -----------------------------------------------------------------------------


def install(requirements: list) -> None:
    uv = shutil.which("uv")
    python = str(python_of_venv())
    if uv:
        if not VENV.exists():
            run([uv, "venv", "--seed", "--python", sys.executable, str(VENV)])
        run([uv, "pip", "install", "--python", python, *requirements])
        return
    if not VENV.exists():
        make_venv()
    run([*pip_of_venv(), "install", "--disable-pip-version-check", *requirements])


def make_venv() -> None:
    if importlib.util.find_spec("venv") is None:
        raise Stop(
            "This Python has no venv module: install it (on Debian and Ubuntu: "
            f"sudo apt install python3-venv) or install uv, {AGAIN}."
        )
    run([sys.executable, "-m", "venv", "--without-pip", str(VENV)])


def pip_of_venv() -> list:
    """The command that runs pip on .venv, also where Python cannot put a pip into it.

    Debian and Ubuntu keep `ensurepip` in a package of its own. A pip of the system can serve
    .venv; without one, pip is taken out of Debian's package, which needs no rights and changes
    nothing outside .venv.
    """
    python = str(python_of_venv())
    packages = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    if not list(VENV.glob(packages + "/pip-*.dist-info/RECORD")):  # which is written last
        for half in [*VENV.glob(packages + "/pip"), *VENV.glob(packages + "/pip-*.dist-info")]:
            shutil.rmtree(str(half), ignore_errors=True)  # a set-up was stopped in the midst of it
        if importlib.util.find_spec("ensurepip"):
            run([python, "-m", "ensurepip", "--default-pip"])
        elif importlib.util.find_spec("pip"):
            return [sys.executable, "-m", "pip", "--python", python]
        else:
            with tempfile.TemporaryDirectory() as folder:
                wheel = pip_wheel_of_debian(Path(folder))
                run([python, str(wheel / "pip"), "install", "--no-index", str(wheel)])
    return [python, "-m", "pip"]


def pip_wheel_of_debian(folder: Path) -> Path:
    try:
        download = ["apt-get", "download", "-q", "python3-pip-whl"]
        if subprocess.call(download, cwd=str(folder), **QUIET) != 0:
            subprocess.call(["apt-get", "update", "-q"], **QUIET)
            subprocess.check_call(download, cwd=str(folder), **QUIET)
        for package in folder.glob("*.deb"):
            subprocess.check_call(["dpkg-deb", "-x", str(package), str(folder)], **QUIET)
        return next(folder.glob("usr/share/python-wheels/pip-*.whl"))
    except (OSError, subprocess.CalledProcessError, StopIteration):
        raise Stop(
            "This Python can make no virtual environment, as its ensurepip module is missing: "
            "install it (on Debian and Ubuntu: sudo apt install python3-venv) or install uv, "
            + AGAIN
            + "."
        ) from None


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def install_debian_tools(command: str) -> None:
    """A bare Debian machine whose root we are (CI, a container) gets what the command uses."""
    tools = DEBIAN.get(command, {})
    missing = sorted(package for tool, package in tools.items() if not shutil.which(tool))
    if not missing or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print("Installing what " + command + " uses: " + " ".join(missing), flush=True)
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing]
    try:
        run(["apt-get", "update", "-q"])
        run(install, DEBIAN_FRONTEND="noninteractive")
    except Stop as stop:
        print(f"That failed, so what needs them is skipped. {stop}", flush=True)


def run(command: list, **environment: str) -> None:
    """Run one step of the set-up; its output is only shown when it failed in an unknown way."""
    unset = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    env.update(environment)
    process = subprocess.Popen(
        command, cwd=str(ROOT), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = []
    with process:
        for raw in process.stdout:
            lines.append(raw.decode("utf-8", "replace").rstrip())
            show_progress(lines[-1])
    show_progress("")
    if process.returncode != 0:
        raise Stop(explain(lines))


def show_progress(line: str) -> None:
    if sys.stdout.isatty():
        print(f"\r{line.strip()[:78]:<78}\r", end="", flush=True)


def explain(lines: list) -> str:
    text = "\n".join(lines)
    for pattern, sentence in KNOWN_FAILURES:
        if re.search(pattern, text):
            return sentence
    return "The set-up failed; the last lines it wrote are:\n  " + "\n  ".join(lines[-15:])


# --- starting something else ----------------------------------------------------------------


def with_newer_python(args: list) -> int:
    uv = shutil.which("uv")
    if uv:  # which finds or fetches a newer one
        newer = "{}.{}".format(*OLDEST)
        this = str(ROOT / "start.py")  # __file__ may be relative, and `become` changes the folder
        return become(uv, "run", "--no-project", "--python", ">=" + newer, this, *args)
    raise Stop(
        "Python {}.{} is too old, {}.{} or newer is needed: install one, "
        "then run this file with it.".format(*sys.version_info[:2], *OLDEST)
    )


def become(program: object, *args: str) -> int:
    """Run the program in the place of this process, or wait for it where that cannot be."""
    command = [str(program), *args]
    os.chdir(str(ROOT))
    tools = str(python_of_venv().parent)  # so that a terminal in JupyterLab knows `unblocked`
    os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", os.defpath)
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass  # Ctrl-C reaches the program too; it decides what follows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
