"""The rig in a real kernel: a cell run again, an interrupt, a restart, a patched event loop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jupyter_client.manager import KernelManager
from rig_waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient


class Notebook:
    """A kernel and what a front end would ask it."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code: str, cell: str | None = None) -> str:
        """Execute a cell and return its output; an error raises."""
        return self.finish(self.begin(code, cell))

    def begin(self, code: str, cell: str | None = None) -> str:
        """Execute a cell without waiting; `cell` is what JupyterLab calls its `cellId`."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        metadata = {"cellId": cell} if cell is not None else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(self, number: str) -> str:
        """The output of a cell that was begun."""
        output = ""
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            if kind == "status" and content["execution_state"] == "idle":
                return output
            output += content.get("text", "")

    def await_output(self, number: str, text: str) -> None:
        """Wait until a running cell has printed `text`."""
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == number:
                assert message["msg_type"] != "error", message["content"]
                if text in message["content"].get("text", ""):
                    return

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture(scope="module")
def notebook(quick_upstream: object) -> Iterator[Notebook]:
    notebook = Notebook()
    notebook.run(
        "import threading, os, httpx\n"
        "from fastapi import FastAPI\n"
        "from unblocked.rig import serve, load, Upstream\n"
        "app = FastAPI()\n"
    )
    yield notebook
    notebook.close()


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("cell", [None, "cell-of-servers"])
def test_the_same_cell_again_replaces_its_servers(notebook: Notebook, cell: str | None) -> None:
    code = "a = serve(app); b = serve(app, name='b'); print(a.port, b.port)"
    before = [int(port) for port in notebook.run(code, cell).split()]
    if cell is not None:
        code = code.replace("a = serve", "another = serve").replace("a.port", "another.port")
    after = [int(port) for port in notebook.run(code, cell).split()]
    assert all(refuses(port) for port in before)
    assert not any(refuses(port) for port in after)
    notebook.run("b.stop(); globals().get('another', a).stop(); a.stop()")


def test_another_cell_does_not_replace(notebook: Notebook) -> None:
    first = int(notebook.run("one = serve(app); print(one.port)", "cell-1"))
    notebook.run("two = serve(app)", "cell-2")
    assert not refuses(first)
    notebook.run("one.stop(); two.stop()")
    assert refuses(first)


def test_the_same_cell_again_replaces_its_upstream(notebook: Notebook) -> None:
    code = "upstream = Upstream(delay=0); print(upstream.pid)"
    before, after = (int(notebook.run(code, "cell-of-upstream")) for _ in range(2))
    assert before != after
    assert not psutil.pid_exists(before)
    notebook.run("upstream.stop()")
    assert not psutil.pid_exists(after)


def test_a_failing_startup_leaves_the_kernel_as_it_was(notebook: Notebook) -> None:
    threads = notebook.run("print(threading.active_count())")
    with pytest.raises(RuntimeError, match="NameError: name 'missing'"):
        notebook.run(
            "async def lifespan(app):\n    missing\n    yield\nserve(FastAPI(lifespan=lifespan))"
        )
    assert notebook.run("print(threading.active_count())") == threads


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_load_leaves_no_process(notebook: Notebook) -> None:
    notebook.run("upstream = Upstream(hang=True)")
    number = notebook.begin(
        "await load(upstream, users=2, duration=60, on_progress=lambda p: print('loading'))"
    )
    notebook.await_output(number, "loading")
    notebook.manager.interrupt_kernel()
    with pytest.raises(RuntimeError, match=r"KeyboardInterrupt|CancelledError"):
        notebook.finish(number)
    children = notebook.run(
        "import psutil; print([c.pid for c in psutil.Process().children()] == [upstream.pid])"
    )
    assert children.strip() == "True", "the upstream lives on, the load does not"
    assert notebook.run("print(upstream.counts.requests)").strip() == "2"
    notebook.run("upstream.stop()")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_startup_leaves_no_thread(notebook: Notebook) -> None:
    threads = notebook.run("print(threading.active_count())")
    number = notebook.begin(
        "import asyncio\n"
        "async def lifespan(app):\n    print('begun')\n"
        "    await asyncio.Event().wait()\n    yield\n"
        "serve(FastAPI(lifespan=lifespan))"
    )
    notebook.await_output(number, "begun")
    notebook.manager.interrupt_kernel()
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        notebook.finish(number)
    assert notebook.run("print(threading.active_count())") == threads


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_kernel_takes_its_processes_along() -> None:
    notebook = Notebook()
    code = "from unblocked.rig import *; u = Upstream(hang=True); print(u.pid, os.getpid())"
    upstream, kernel = (int(pid) for pid in notebook.run(f"import os; {code}").split())
    number = notebook.begin("await load(u, users=2, on_progress=lambda p: print('loading'))")
    notebook.await_output(number, "loading")
    processes = psutil.Process(kernel).children(recursive=True)
    assert upstream in [process.pid for process in processes]
    assert len(processes) == 2
    os.kill(kernel, signal.SIGKILL)
    until(lambda: all(_is_gone(process) for process in processes))
    notebook.close()


def _is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


_PATCHED = """
import asyncio, nest_asyncio, httpx
from unblocked.rig import Upstream, load, serve

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

async def main():
    nest_asyncio.apply()
    with serve(app) as server, Upstream(delay=0) as upstream:
        print((await load(server, users=2, requests=10)).answers)
        print((await load(upstream, users=2, requests=10)).answers)

asyncio.run(main())
"""


def test_nest_asyncio_does_no_harm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PATCHED], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.split() == ["10", "10"], done.stderr
