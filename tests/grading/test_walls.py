"""What an answer could do to others, hold unseen, or have the marker hold or believe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import RIGHT

from unblocked.grading.checks import Exam, callers
from unblocked.grading.checks import upstream as upstreams
from unblocked.grading.sandbox import processes, starting
from unblocked.grading.sandbox.child import linux
from unblocked.grading.sandbox.pool import Sandbox
from unblocked.grading.sandbox.run import Gone, Refused, tcp_socket

if TYPE_CHECKING:
    from collections.abc import Callable

    Marked = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.skipif(
    not linux.landlock_version() if sys.platform == "linux" else True, reason="needs Landlock"
)

LEVELS = ("namespaces+landlock", "landlock")
ARM = os.uname().machine == "aarch64" if sys.platform == "linux" else False

BEGIN = f"""
import ctypes, fcntl, mmap, os, shutil, socket, sys
_libc = ctypes.CDLL(None, use_errno=True)

def refused(what, *attempt, errors=(1,)):
    try:
        call, *args = attempt
        if isinstance(call, tuple):
            number = call[{int(ARM)}]
            if number is None: return
            done = _libc.syscall(number, *args) >= 0
            error = ctypes.get_errno()
        else:
            call(*args)
            done, error = True, 0
    except OSError as refusal:
        done, error = False, refusal.errno
    if done or error not in errors: raise SystemExit(f"{{what}}: {{done}}, errno {{error}}")
"""

WAYS_OUT = {
    "services that listen at a path": """
refused("a Unix socket", socket.socket, socket.AF_UNIX)
refused("a virtual machine's socket", socket.socket, socket.AF_VSOCK)
refused("a pair that can send elsewhere", socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
refused("a ring of calls", (425, 425), 8, ctypes.create_string_buffer(120))
""",
    "waiting for files that can be read": """
import this
fd = os.open(this.__file__, os.O_RDONLY)
refused("a lease", fcntl.fcntl, fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
refused("news of a folder", fcntl.fcntl, os.open("/usr/lib", os.O_RDONLY), fcntl.F_NOTIFY, 1)
refused("news of a file", (294, 26), 0)
refused("news of all files", (300, 262), 0x200, 0)
""",
    "privileges of its own": """
USER, NET = 0x10000000, 0x40000000
refused("a user namespace", (272, 97), USER)
refused("a network", (272, 97), NET)
refused("a namespace that is there", (308, 268), os.open("/proc/self", os.O_RDONLY), 0)
refused("a child in a user namespace", (56, 220), USER | 17, 0, 0, 0, 0)
refused("a child with hidden flags", (435, 435), ctypes.create_string_buffer(64), 64, errors=(38,))
""",
    "memory that no process holds": """
refused("shared pages", mmap.mmap, -1, 1 << 20)
refused("shared pages by another name", mmap.mmap, -1, 1 << 20, 3)
refused("zeros", os.open, "/dev/zero", os.O_RDWR, errors=(1, 13))
refused("semaphores", (64, 190), 0, 32000, 0o1600)
refused("a queue of messages", (68, 186), 0, 0o1600)
refused("a named queue of messages", (240, 180), b"mine", os.O_CREAT | os.O_RDWR, 0o600, None)
refused("a ring of reads", (206, 0), 128, ctypes.byref(ctypes.c_ulong(0)))
""",
    "calls that are not known yet": """
refused("attributes at a path", (463, 463), -100, b"/", 0, b"user.mine", 0, 0, errors=(38,))
refused("flags at a path", (469, 469), -100, b"/", 0, 0, 0, errors=(38,))
""",
}


@pytest.mark.parametrize("level", LEVELS)
def test_ways_out_are_shut(marked: Marked, level: str) -> None:
    results = marked(*(BEGIN + way + RIGHT for way in WAYS_OUT.values()), level=level)
    seen = {
        way: r["points"] or r["checks"][0]["message"]
        for way, r in zip(WAYS_OUT, results, strict=True)
    }
    assert seen == dict.fromkeys(WAYS_OUT, 6)


@pytest.mark.parametrize("level", LEVELS)
def test_no_service_outside_hears_of_an_answer(marked: Marked, tmp_path: Path, level: str) -> None:
    path = str(tmp_path / "service")
    caller = f"""
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        with socket.socket(socket.AF_UNIX, kind) as sock:
            sock.connect({path!r})
            sock.send(b"on behalf of an answer")
    except OSError: pass
try: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"too", {path!r} + "s")
except OSError: pass
"""
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX, 2) as box:
        door.bind(path)
        door.listen()
        box.bind(f"{path}s")
        assert marked(caller + RIGHT, level=level)[0]["points"] == 6
        for sock in (door, box):
            sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()
        with pytest.raises(BlockingIOError):
            box.recv(1)


@pytest.mark.parametrize("level", LEVELS)
def test_files_outside_keep_their_modes_and_times(
    marked: Marked, tmp_path: Path, level: str
) -> None:
    diary = tmp_path / "grades.csv"
    diary.write_text("untouched")
    tool = os.path.realpath(sys.executable)
    before = [os.stat(path) for path in (diary, tmp_path, tool)]
    attack = f"""
import os
for path in ({str(diary)!r}, {str(tmp_path)!r}, "/proc/self/exe"):
    fd = os.open(path, os.O_PATH)
    was = os.stat(path)
    for again in (path, f"/proc/self/fd/{{fd}}"):
        for attempt in (  # each would show in the time of the last change
            lambda: os.chmod(again, was.st_mode),
            lambda: os.utime(again, ns=(was.st_atime_ns, was.st_mtime_ns)),
            lambda: os.chown(again, os.getuid(), os.getgid()),
            lambda: os.setxattr(again, "user.was", b"here"),
        ):
            try: attempt()
            except OSError: pass
"""
    assert marked(attack + RIGHT, level=level)[0]["points"] == 6
    after = [os.stat(path) for path in (diary, tmp_path, tool)]
    for was, now in zip(before, after, strict=True):
        assert was.st_ctime_ns == now.st_ctime_ns
    assert not os.listxattr(diary)


def test_what_is_mounted_is_read_only_but_for_what_is_its_own(marked: Marked) -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (5, 12):
        pytest.skip("needs mount_setattr")
    look = """
import os
places = ("/", "/usr/lib", "/proc", os.path.dirname(os.__file__))
if [place for place in places if not os.statvfs(place).f_flag & os.ST_RDONLY]:
    raise SystemExit("not read-only")
if os.statvfs(".").f_flag & os.ST_RDONLY: raise SystemExit("nothing of its own")
if [fd for fd in range(3, 1024) if os.path.exists(f"/proc/self/fd/{fd}")
    and os.path.realpath(f"/proc/self/fd/{fd}") == os.devnull]: raise SystemExit("left open")
"""
    assert marked(look + RIGHT)[0]["points"] == 6


ORDINARY = """
import asyncio, multiprocessing, os, shutil, socket, subprocess, sys, tempfile, threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory

def double(x): return 2 * x

def hold(value):
    with value.get_lock(): value.value += 1

fork = multiprocessing.get_context("fork")
with ProcessPoolExecutor(2, mp_context=fork) as pool:
    assert list(pool.map(double, [1, 2])) == [2, 4]
value, queue = fork.Value("i", 0), fork.Queue()
children = [fork.Process(target=hold, args=(value,)) for _ in range(2)]
children.append(fork.Process(target=queue.put, args=("said",)))
for child in children: child.start()
assert queue.get() == "said"
for child in children: child.join()
assert value.value == 2
block = shared_memory.SharedMemory(create=True, size=1 << 16)
block.close(); block.unlink()
subprocess.run("true", check=True, start_new_session=True)
thread = threading.Thread(target=os.getpid); thread.start(); thread.join()
async def child(): return await (await asyncio.create_subprocess_exec("true")).wait()
assert await child() == 0
with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
    copied = shutil.copy2(file.name, folder)
    shutil.copytree(folder, folder + "-too")
    os.chmod(copied, 0o700); os.utime(copied)
    shutil.make_archive(folder + "-packed", "gztar", folder)
    shutil.unpack_archive(folder + "-packed.tar.gz", folder + "-out")
assert socket.getaddrinfo("localhost", 80)
assert socket.if_nameindex()
for end in socket.socketpair(): end.close()
server = await asyncio.start_server(lambda r, w: w.close(), "localhost", 0)
server.close()
"""


@pytest.mark.parametrize("level", ["namespaces+landlock", "bubblewrap"])
def test_what_python_does_every_day_goes_on(marked: Marked, level: str) -> None:
    if level == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("needs bubblewrap")
    result = marked(ORDINARY + RIGHT, level=level)[0]
    assert result["points"] == 6, result["checks"][0]["message"]


def test_only_what_is_on_its_way_from_the_upstream_to_callers_is_queued() -> None:
    with contextlib.ExitStack() as stack:

        def listening(host: str, port: int = 0) -> socket.socket:
            return stack.enter_context(socket.create_server((host, port)))

        def called(door: socket.socket) -> tuple[socket.socket, socket.socket]:
            caller = stack.enter_context(socket.create_connection(door.getsockname()))
            return stack.enter_context(door.accept()[0]), caller

        doors = listening("127.0.0.1"), listening("127.0.0.1")
        (upstream, from_app), (app, caller) = map(called, doors)
        source, door, *_ = ports = [sock.getsockname()[1] for sock in (*doors, caller)]

        def queued() -> int | None:
            return processes.queued(os.getpid(), source, door, {ports[2]})

        assert queued() == 0
        upstream.send(b"x" * 100)
        app.send(b"x" * 10)
        assert queued() == 110
        for sock in (from_app, caller):
            sock.send(b"of a request")
        for port in (source, door):
            for end in called(listening("127.0.0.2", port)):
                end.send(b"of a decoy")
        for end in called(doors[1]):
            end.send(b"of one who is none of the callers")
        assert queued() == 110


def test_headers_that_an_upstream_keeps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams, "MOST_BYTES", 1 << 20)
    headers = b"".join(b"h%d: %s\r\n" % (n, b"x" * 8000) for n in range(40))

    async def answered() -> int:
        made = upstreams.Upstream(
            tcp_socket(), upstreams.at_once, lambda: None, expects=lambda _: True
        )
        async with made as upstream:
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                for _ in range(10):
                    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n%s\r\n" % headers)
                    await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return len(upstream.calls)

    assert asyncio.run(answered()) == 3


ENDLESS = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    headers = [(b"x-%d" % n, b"x" * 8000) for n in range(HEADERS)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": not HEADERS})
"""


@pytest.mark.parametrize("headers", [0, 40])
def test_all_replies_of_a_run_are_bounded_together(
    marked: Marked, monkeypatch: pytest.MonkeyPatch, headers: int
) -> None:
    monkeypatch.setattr(callers, "MOST_KEPT", 300_000)
    result = marked(f"HEADERS = {headers}" + ENDLESS)[0]
    assert result["points"] <= 1
    assert "all replies together are longer" in result["checks"][0]["message"]


@pytest.mark.parametrize(
    "value", ["[7]", "None", "[{}]", "[{'kind': 1, 'closed': 0}]", "10**400", "deep"]
)
def test_what_a_process_says_of_itself_has_a_known_shape(
    in_sandbox: Callable[..., None], value: str
) -> None:
    forged = f"""
from unblocked.grading.sandbox.child import answer_process
deep = 0
for _ in range(400): deep = {{'x': [deep]}}
async def forge(self, **_): return {value}
answer_process.Answer._do_call = forge
"""

    async def asked(sandbox: Sandbox) -> None:
        async with Exam(sandbox, forged).run() as app:
            await app.load()
            await app.inside("clients")

    with pytest.raises(Gone, match="says of itself what cannot be"):
        in_sandbox(asked)


def test_an_honest_process_says_what_is_asked(in_sandbox: Callable[..., list[object]]) -> None:
    async def asked(sandbox: Sandbox) -> list[object]:
        client = "import httpx\nclient = httpx.Client(timeout='odd')"
        async with Exam(sandbox, client).run() as app:
            await app.load()
            await app.freeze()
            return [await app.inside("lifespan"), *await app.inside("clients")]

    timeout = dict.fromkeys(("connect", "read", "write", "pool"), "odd")
    client = {"kind": "Client", "closed": False, "timeout": timeout}
    assert in_sandbox(asked) == ["none", client]


def test_what_is_shut_out_by_name_cannot_be_read_wherever_it_lies(
    marked: Marked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Path(os.__file__).parent / "unblocked-class-of-a-test"
    inside.mkdir()
    try:
        (inside / "solution.txt").write_text("full marks")
        spy = f"""
try:
    open({str(inside / "solution.txt")!r}).read()
except OSError:
    pass
else:
    raise SystemExit("read")
import json, decimal
"""
        monkeypatch.setenv("UNBLOCKED_SHUT", "")
        starting.shut_out(tmp_path, inside)
        assert marked(spy + RIGHT, fresh=True)[0]["points"] == 6
    finally:
        shutil.rmtree(inside)


def test_an_isolation_level_with_a_typo_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBLOCKED_RUNG", "namespace+landlock")
    with pytest.raises(Refused, match=r"UNBLOCKED_RUNG=namespace\+landlock is no isolation level"):
        Sandbox()


def test_a_certificate_variable_that_names_no_file_hurts_nobody(
    marked: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/cacert.pem")
    assert marked(RIGHT, fresh=True)[0]["points"] == 6


def test_too_few_descriptors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "raise_descriptor_limit", lambda: 64)
    with pytest.raises(starting.TooFewDescriptors, match="open only 64 files"):
        starting.preimport()


def test_json_that_would_fill_the_marker_is_not_parsed() -> None:
    assert upstreams.as_json(b'{"a": 1}') == {"a": 1}
    assert upstreams.as_json(b"[" + b"0," * upstreams.MOST_JSON + b"0]") is None
