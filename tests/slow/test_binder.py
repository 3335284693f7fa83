"""Binder without docker: what repo2docker builds, its base image rehearsed with pip, its launch.

Left to Binder itself: that conda-forge delivers Python 3.12, building the image and pulling it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import psutil
import pytest
import yaml
from machines import (
    REPOSITORY,
    Site,
    VirtualEnv,
    clean_environment,
    copy_course,
    free_port,
    need,
    run,
    serving,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PYTHON = "3.12"
OF_THE_BASE = {"greenlet", "cryptography"}
"""Brought by JupyterHub; only our test tools ask for another version."""
BINDER_MEMORY = 2 * 1024**3  # bytes
TOOL = Path(__file__).with_name("binder_base.py")


@pytest.fixture(scope="module")
def repo2docker(tmp_path_factory: pytest.TempPathFactory) -> VirtualEnv:
    folder = tmp_path_factory.mktemp("repo2docker") / "venv"
    return VirtualEnv.make(folder, PYTHON, "jupyter-repo2docker==2026.4.0")


def render(repo2docker: VirtualEnv, course: Path) -> dict[str, str]:
    out = repo2docker.run(TOOL, "render", course, stderr=subprocess.DEVNULL)
    rendered: dict[str, str] = json.loads(out)
    return rendered


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return copy_course(tmp_path)


def test_repo2docker_reads_environment_yml(repo2docker: VirtualEnv, course: Path) -> None:
    seen = render(repo2docker, course)
    assert (seen["buildpack"], seen["python"]) == ("CondaBuildPack", PYTHON)


def test_the_files_are_there_before_the_install(repo2docker: VirtualEnv, course: Path) -> None:
    """`-c requirements.txt` and `-e .` need them; a section without paths is installed before."""
    dockerfile = render(repo2docker, course)["dockerfile"]
    assert dockerfile.index("src/ ${REPO_DIR}/") < dockerfile.index("env update")


def test_the_traps_would_be_seen(repo2docker: VirtualEnv, course: Path) -> None:
    file = course / "environment.yml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("python=3.12", "python>=3.12"), "utf-8")
    assert render(repo2docker, course)["python"] != PYTHON
    file.write_text(text, "utf-8")
    (course / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    assert render(repo2docker, course)["buildpack"] != "CondaBuildPack"


# --- the image, rehearsed ------------------------------------------------------------------------


class Image:
    """What a Binder image holds: the frozen base, then the pip section as mamba replays it."""

    def __init__(self, repo2docker: VirtualEnv, folder: Path) -> None:
        self.home = copy_course(folder)
        self.venv = VirtualEnv.make(folder / "conda", PYTHON, seed=True)
        base = json.loads(repo2docker.run(TOOL, "base", PYTHON))
        self.venv.install(*base)
        self._replay_pip_section()

    def _replay_pip_section(self) -> None:
        environment = yaml.safe_load((self.home / "environment.yml").read_text("utf-8"))
        section = "\n".join(environment["dependencies"][-1]["pip"])
        with tempfile.NamedTemporaryFile(
            "w", dir=self.home, prefix="mambaf", encoding="utf-8", delete=False
        ) as file:
            file.write(section + "\n")
        pip = ["-m", "pip", "install", "-U", "-q", "-r", file.name, "--no-input"]
        self.venv.run(*pip, cwd=self.home, env=clean_environment())
        Path(file.name).unlink()


@pytest.fixture(scope="module")
def image(repo2docker: VirtualEnv, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(repo2docker, tmp_path_factory.mktemp("image"))


def test_nothing_in_the_image_contradicts(image: Image) -> None:
    """pip exits 0 even when it breaks the base, so `pip check` has the word."""
    assert "No broken requirements" in image.venv.run("-m", "pip", "check")


def test_the_image_holds_what_requirements_txt_says(image: Image) -> None:
    listed = json.loads(
        image.venv.run("-m", "pip", "list", "--format=json", stderr=subprocess.DEVNULL)
    )
    installed = {re.sub(r"[-_.]+", "-", p["name"]).lower(): p["version"] for p in listed}
    lines = (image.home / "requirements.txt").read_text("utf-8").splitlines()
    pins = dict(line.split(" ;")[0].split("==") for line in lines if applies(line))
    assert {"fastapi", "httpx", "jupyterlab", "notebook", "uvicorn"} <= pins.keys()
    different = {
        name: (installed[name], version)
        for name, version in pins.items()
        if name in installed and installed[name] != version and name not in OF_THE_BASE
    }
    assert different == {}


def applies(line: str) -> bool:
    from packaging.requirements import Requirement

    if "==" not in line or line.startswith("#"):
        return False
    marker = Requirement(line).marker
    return marker is None or marker.evaluate({"python_full_version": "3.12.1"})


def deep_links() -> list[str]:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    return sorted({unquote(link) for link in re.findall(r"urlpath=([^)\s\"]+)", readme)})


def test_binderhubs_launch_opens_every_linked_notebook(image: Image, tmp_path: Path) -> None:
    port, token, base = free_port(), "a-token", "/user/somebody-x1y2/"
    given = [f"base_url={base}", f"token={token}", "trust_xheaders=True"]
    given += ["allow_origin=*", "allow_origin_pat=.*"]
    command: list[str | Path] = [image.venv.folder / "bin/jupyter-lab", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--no-browser", "--allow-root"]
    command += [f"--{app}.{option}" for app in ("NotebookApp", "ServerApp") for option in given]
    bin_folder = str(image.venv.folder / "bin")
    env = clean_environment(HOME=str(tmp_path), IPYTHONDIR=str(tmp_path))
    env["PATH"] = os.pathsep.join([bin_folder, env["PATH"]])
    site = Site(f"http://127.0.0.1:{port}{base}", token)
    links = deep_links()
    assert "lab/tree/notebooks/00-start-here.ipynb" in links
    with serving(command, site, "api", tmp_path / "log", cwd=image.home, env=env):
        for link in links:
            status, page = site.get(quote(link))
            assert (status, b"jupyter-config-data" in page) == (200, True), link
            opened: dict[str, Any] = site.json("api/contents/" + quote(link.split("tree/")[1]))
            assert opened["type"] == "notebook"


def test_an_answer_is_marked_within_binders_limits(image: Image) -> None:
    """One core, 2 GB, only the home writable, and no namespaces, which containers forbid."""
    need(shutil.which("bwrap"), "bubblewrap")
    folder = str(image.venv.folder)
    pod = ["bwrap", "--unshare-user", "--disable-userns", "--unshare-pid", "--die-with-parent"]
    pod += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    pod += ["--ro-bind", folder, folder, "--bind", str(image.home), str(image.home)]
    pod += ["--chdir", str(image.home), "--setenv", "UNBLOCKED_HOME", str(image.home / ".marks")]
    mark = [f"{folder}/bin/unblocked", "check", "fix-the-article"]
    mark += ["solutions/fix-the-article.ipynb", "--json"]
    output, memory = with_peak_memory([*pod, "taskset", "-c", "0", *mark])
    result = json.loads(output)
    assert result["points"] == result["max_points"], result
    assert result["isolation"] in ("landlock", "limits")
    assert memory < BINDER_MEMORY


def with_peak_memory(command: list[str]) -> tuple[str, int]:
    """What the command wrote, and the most its processes held together, in bytes."""
    peak = 0
    with tempfile.TemporaryFile() as out:
        process = psutil.Popen(command, stdout=out, env=clean_environment())
        while process.poll() is None:
            peak = max(peak, resident(process))
            try:
                process.wait(0.05)
            except psutil.TimeoutExpired:
                continue
        out.seek(0)
        return out.read().decode(), peak


def resident(process: psutil.Popen) -> int:
    total = 0
    for child in [process, *process.children(recursive=True)]:
        try:
            total += child.memory_info().rss
        except psutil.Error:  # ended meanwhile
            continue
    return total


def test_the_repository_is_light_to_pull() -> None:
    """All of it is copied into the image, and Binder's visitors wait for it."""
    files = run("git", "-C", REPOSITORY, "ls-files", "-z").split("\0")[:-1]
    sizes = [(REPOSITORY / name).stat().st_size for name in files if (REPOSITORY / name).exists()]
    assert sum(sizes) < 20_000_000
