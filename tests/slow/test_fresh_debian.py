"""A bare Debian 12 with Python alone: no pip, no ensurepip, no git, no curl, and no rights in it.

Debian is unpacked into a folder and entered as an ordinary user, so this needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from machines import WITHOUT_BYTECODE, Site, copy_course, free_port, need, run, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENTER = """
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
shift
exec "$@"
"""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
SETTINGS_OF_PIP = ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class Debian:
    root: Path

    def command(self, *words: str, user: str = "ada", cwd: str = "/") -> list[str]:
        env = {name: os.environ[name] for name in SETTINGS_OF_PIP if name in os.environ}
        env |= {"HOME": f"/home/{user}", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/bin"}
        env |= {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES, **WITHOUT_BYTECODE}
        given = [f"{name}={value}" for name, value in env.items()]
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"]
        enter += [str(self.root), "chroot", f"--userspec={user}", str(self.root)]
        return [*enter, "env", "-i", f"--chdir={cwd}", *given, *words]

    def run(self, *words: str, user: str = "ada", cwd: str = "/", code: int | None = 0) -> str:
        return run(*self.command(*words, user=user, cwd=cwd), code=code)

    def new_course(self, name: str) -> str:
        """A copy of the course in the user's home; its path as the user sees it."""
        home = self.root / "home/ada" / name
        home.mkdir(parents=True)
        copied = copy_course(home)
        self.run("chown", "-R", "ada", "/home/ada", user="root")
        return "/" + str(copied.relative_to(self.root))


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    need(os.geteuid() == 0, "root, to unpack a Debian")
    need(shutil.which("debootstrap"), "debootstrap")
    root = tmp_path_factory.mktemp("debian") / "root"
    wanted = ["--variant=minbase", "--include=python3,ca-certificates"]
    run("debootstrap", *wanted, "bookworm", root)
    for file in ("/etc/resolv.conf", "/etc/hosts", CERTIFICATES):
        shutil.copy(file, root / file[1:])
    machine = Debian(root)
    machine.run("useradd", "--create-home", "ada", user="root")
    return machine


def test_it_is_as_bare_as_we_think(debian: Debian) -> None:
    for module in ("pip", "ensurepip"):
        assert f"No module named {module}" in debian.run("python3", "-m", module, code=1)
    for tool in ("git", "curl", "uv"):
        assert debian.run("which", tool, code=1) == ""


def test_a_learner_without_rights_sets_up_and_works(debian: Debian, tmp_path: Path) -> None:
    course = debian.new_course("bare")
    said = debian.run("python3", "start.py", "setup", cwd=course)
    assert said.splitlines()[-1].startswith("Ready")
    assert debian.run("python3", "start.py", "setup", cwd=course) == said.splitlines()[-1] + "\n"
    works(debian, course, tmp_path)


def test_with_debians_venv_package(debian: Debian) -> None:
    """Then Python's own pip is used; what follows is as without the package."""
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "python3-venv"]
    debian.run(*install, user="root")
    course = debian.new_course("with-venv")
    script = "import start; start.make_venv(); print(*start.pip_of_venv())"
    assert "-m pip" in debian.run("python3", "-c", script, cwd=course)
    assert "pip 23" in debian.run(".venv/bin/python", "-m", "pip", "--version", cwd=course)


def test_a_full_disk_is_one_sentence(debian: Debian) -> None:
    small = debian.root / "home/ada/small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=60M", "tmpfs", small)
    try:
        course = debian.new_course("small/disk")
        said = debian.run("python3", "start.py", "setup", cwd=course, code=1)
    finally:
        run("umount", "-l", small)
    assert said.count("\n") == 1
    assert "MB free" in said


def works(debian: Debian, course: str, tmp_path: Path) -> None:
    """JupyterLab opens the first lesson, and the solution of the main exercise gets full marks."""
    port = free_port()
    options = ["--no-browser", f"--ServerApp.port={port}", "--IdentityProvider.token=a-token"]
    command = debian.command("python3", "start.py", *options, cwd=course)
    site = Site(f"http://127.0.0.1:{port}/", "a-token")
    with serving(command, site, "api", tmp_path / "log"):
        assert site.get("lab/tree/notebooks/00-start-here.ipynb")[0] == 200
        assert site.json("api/contents/notebooks/00-start-here.ipynb")["type"] == "notebook"
    check = [".venv/bin/unblocked", "check", "fix-the-article"]
    solved = debian.command(*check, "solutions/fix-the-article.ipynb", "--json", cwd=course)
    result = json.loads(run(*solved, stderr=subprocess.DEVNULL))
    assert result["points"] == result["max_points"] > 0
