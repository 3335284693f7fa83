"""A class on JupyterHub, as INSTRUCTORS.md says: two learners, an update, the marks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from machines import (
    REPOSITORY,
    Site,
    clean_environment,
    free_port,
    interpreter,
    need,
    run,
    serving,
    wait_for,
)
from test_guide import INSTRUCTORS, blocks

from unblocked.authoring.handout import hand_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = (REPOSITORY / "INSTRUCTORS.md").read_text("utf-8")
(_, SET_UP), (_, CONFIGURATION), (_, START), *_ = blocks(INSTRUCTORS, "A class on JupyterHub")
TOKEN = "a-token-for-this-test-alone-0123456789"
EXERCISE = "exercises/fix-the-article.ipynb"
# What a test machine lacks: homes of its users, and ports of its own. Who may log in, and how, is
# the guide's.
FOR_THE_TEST = """
load_subconfig("jupyterhub_config.py")
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "{folder}/cookie-secret"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{{"name": "test", "services": ["test"], "scopes": scopes}}]
"""


@dataclass(frozen=True)
class Class:
    """The learners' copy of the course under git, and the hub's clone of it, set up."""

    folder: Path
    handed_out: Path
    hub: Path

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=Instructor", "-c", "user.email=instructor@localhost.invalid"]
        return run("git", "-C", self.handed_out, *who, *words)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Class:
    need(shutil.which("npm"), "npm")
    folder = tmp_path_factory.mktemp("hub")
    handed_out = folder / "course"
    hand_out(REPOSITORY, handed_out)
    made = Class(folder, handed_out, folder / "srv" / "unblocked")
    made.git("init", "-q", "-b", "main")
    made.git("add", "-A")
    made.git("commit", "-qm", "The course")
    script = SET_UP
    for old, new in {
        "/srv/": f"{folder}/srv/",
        "ADDRESS-OF-YOUR-CLASS-REPOSITORY": f"file://{handed_out}",
    }.items():
        assert old in script
        script = script.replace(old, new)
    python = folder / "python"
    python.mkdir()
    (python / "python3").symlink_to(interpreter("3.11"))
    path = f"{python}:{clean_environment()['PATH']}"
    run("bash", "-euo", "pipefail", "-c", script, cwd=folder, env=clean_environment(PATH=path))
    return made


def unblocked(*words: str) -> str:
    """A command of the full course, which is this one."""
    return run(sys.executable, "-m", "unblocked", *words, env=clean_environment())


@pytest.fixture(scope="module")
def hub(course: Class) -> Iterator[Site]:
    assert CONFIGURATION.count("/srv/proxy") == 1
    config = CONFIGURATION.replace("/srv/proxy", str(course.folder / "srv" / "proxy"))
    (course.hub / "jupyterhub_config.py").write_text(config, "utf-8")
    port, hub_port, api_port = (free_port() for _ in range(3))
    given = {"port": port, "hub_port": hub_port, "api_port": api_port, "token": TOKEN}
    extra = FOR_THE_TEST.format(folder=course.folder, **given)
    (course.hub / "for_the_test.py").write_text(extra, "utf-8")
    command = START.replace("jupyterhub_config.py", "for_the_test.py").split()
    site, log = Site(f"http://127.0.0.1:{port}/", TOKEN), course.folder / "hub.log"
    with serving(command, site, "hub/api", log, cwd=course.hub, env=clean_environment()):
        yield site


def call(site: Site, method: str, path: str, content: object = None) -> None:
    headers = {"Authorization": f"token {site.token}", "Content-Type": "application/json"}
    body = json.dumps(content).encode() if content is not None else b""
    request = urllib.request.Request(site.url + path, body, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        assert answer.status < 300


@contextlib.contextmanager
def account(prefix: str) -> Iterator[tuple[str, str]]:
    """A user of this machine and the password, as the guide's administrator has them; removed."""
    need(hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("useradd"), "root, useradd")
    name, password = f"{prefix}-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    run("useradd", "--no-create-home", name)
    try:
        run("chpasswd", input=f"{name}:{password}\n")
        yield name, password
    finally:
        run("userdel", name)


@pytest.fixture(scope="module")
def accounts() -> Iterator[dict[str, tuple[str, str]]]:
    with account("ada") as ada, account("bob") as bob:
        yield {"ada": ada, "bob": bob}


class Learner:
    def __init__(self, hub: Site, course: Class, name: str) -> None:
        self.hub, self.course, self.name = hub, course, name
        (course.folder / "homes" / name).mkdir(parents=True, exist_ok=True)
        call(hub, "POST", f"hub/api/users/{name}")
        call(hub, "POST", f"hub/api/users/{name}/server")
        wait_for(self._is_ready, seconds=180, what=f"the server of {name}")

    def _is_ready(self) -> bool:
        servers = self.hub.json(f"hub/api/users/{self.name}")["servers"]
        return bool(servers) and servers[""]["ready"]

    def pull(self) -> None:
        """What a click on the link does."""
        where = {"repo": f"file://{self.course.handed_out}", "branch": "main"}
        query = urlencode({**where, "targetpath": "course"})
        status, events = self.hub.get(f"user/{self.name}/git-pull/api?{query}")
        assert status == 200
        assert b'"phase": "finished"' in events, events.decode()

    def notebook(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = self._contents(path)["content"]
        return content

    def _contents(self, path: str) -> Any:
        return self.hub.json(f"user/{self.name}/api/contents/course/{path}")

    def save(self, path: str, notebook: dict[str, Any]) -> None:
        model = {"type": "notebook", "format": "json", "content": notebook}
        call(self.hub, "PUT", f"user/{self.name}/api/contents/course/{path}", model)


def answer_cell(notebook: dict[str, Any]) -> dict[str, Any]:
    cells = notebook["cells"]
    return next(c for c in cells if "".join(c["source"]).startswith("# exercise: fix-the-article"))


def test_a_class_works_and_is_marked(
    course: Class, hub: Site, accounts: dict[str, tuple[str, str]]
) -> None:
    ada, bob = (Learner(hub, course, accounts[name][0]) for name in ("ada", "bob"))
    for learner in (ada, bob):
        learner.pull()
    solved = json.loads((REPOSITORY / "solutions/fix-the-article.ipynb").read_text("utf-8"))
    notebook = ada.notebook(EXERCISE)
    answer_cell(notebook)["source"] = "".join(answer_cell(solved)["source"])
    ada.save(EXERCISE, notebook)

    update_the_course(course)
    for learner in (ada, bob):
        learner.pull()
    assert "".join(answer_cell(ada.notebook(EXERCISE))["source"]) == "".join(
        answer_cell(solved)["source"]
    )
    assert "Due on Friday" in json.dumps(bob.notebook(EXERCISE))
    for learner in (ada, bob):
        assert "Updated" in json.dumps(learner.notebook("notebooks/00-start-here.ipynb"))

    marks = mark(course)
    assert marks[ada.name]["points"] == marks[ada.name]["max_points"] > 0
    assert marks[bob.name]["points"] < marks[bob.name]["max_points"]


def logged_in(hub: Site, name: str, password: str) -> tuple[int, str]:
    """The status and the address that the form of the login page leads to."""
    cookies = urllib.request.HTTPCookieProcessor(CookieJar())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
    with opener.open(hub.url + "hub/login", timeout=60) as page:
        form = re.search(r'name="_xsrf"\s+value="([^"]*)"', page.read().decode())
    assert form is not None
    given = {"username": name, "password": password, "_xsrf": form[1]}
    where = hub.url + "hub/login?next=%2Fhub%2Fhome"
    try:
        with opener.open(where, urlencode(given).encode(), timeout=60) as page:
            return page.status, page.url
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url


def test_one_logs_in_by_password_with_the_guides_own_configuration(
    hub: Site, accounts: dict[str, tuple[str, str]]
) -> None:
    name, password = accounts["ada"]
    assert logged_in(hub, name, password) == (200, hub.url + "hub/home")
    assert logged_in(hub, name, password + "!")[0] == 403


def test_learners_find_no_solution_on_the_hub(course: Class, hub: Site) -> None:
    files = [path.relative_to(course.handed_out) for path in course.handed_out.rglob("*")]
    assert [path for path in files if path.name in ("solution.py", "solutions", "right")] == []


def update_the_course(course: Class) -> None:
    """The instructor corrects a lesson and the statement of the exercise that ada has answered."""
    for name, words in (
        (EXERCISE, "Due on Friday."),
        ("notebooks/00-start-here.ipynb", "Updated."),
    ):
        path = course.handed_out / name
        notebook = json.loads(path.read_text("utf-8"))
        notebook["cells"][0]["source"] = [*notebook["cells"][0]["source"], "\n\n" + words]
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
    course.git("commit", "-qam", "Dates")


def collecting(course: Class) -> str:
    """The guide's loop, for homes that belong to no users of the system."""
    [loop] = re.findall(r"^for home in .*?^done$", GUIDE, re.M | re.S)
    for old, new in {
        "/home/*": f"{course.folder}/homes/*",
        "NAME-OF-THE-REPOSITORY": "course",
        'runuser -u "$learner" -- ': "",
    }.items():
        assert old in loop
        loop = loop.replace(old, new)
    return str(loop)


def mark(course: Class) -> dict[str, Any]:
    """Collect by copying and mark with the full course, as the guide says."""
    submissions, out = course.folder / "submissions", course.folder / "marks"
    subprocess.run(["bash", "-euc", collecting(course)], cwd=course.folder, check=True)
    unblocked("grade", str(submissions), "--out", str(out))
    lines = (out / "results.jsonl").read_text("utf-8").splitlines()
    found = [result for result in map(json.loads, lines) if result["exercise"] in EXERCISE]
    return {result["learner"]: result for result in found}
