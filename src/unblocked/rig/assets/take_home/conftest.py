"""Fixtures `url` and `upstream`. Needs uvicorn, httpx, pytest, anyio; `APP` names your module."""
import asyncio, importlib, os, socket, threading  # noqa: E401, I001
import httpx, pytest, uvicorn  # noqa: E401
anyio_backend = pytest.fixture(lambda: "asyncio", name="anyio_backend")
class Connection(asyncio.Protocol):
    def __init__(self, upstream): self.upstream, self.busy, self.told, self.status = upstream, False, -1, 200
    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        transport.set_write_buffer_limits(high=0)  # an unread body stays in flight
        self.transport = transport; self.upstream.connections.add(self); self.upstream.count(opened=1)
    def data_received(self, data):  # a GET has no body, so a request comes in one piece
        up = self.upstream; up.count(calls=1)
        self.text = (f"{up.calls:03} é漢😀" * up.size)[:up.size]; up.texts.append(self.text)
        self.busy, self.told, self.status = True, -1, 200; self.go_on()
    def go_on(self):
        until, whole = self.upstream.until, len(self.text) if self.busy else 0
        if not self.busy or (until == 0 and self.status == 200): return
        if self.told < 0:
            head = "HTTP/1.1 %d Answer\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n"
            self.told = 0; self.transport.write((head % (self.status, len(self.text.encode()))).encode())
        end = whole if until is None else max(self.told, min(until, whole))
        self.transport.write(self.text[self.told:end].encode()); self.told = end
        if until is None and not self.transport.get_write_buffer_size(): self.resume_writing()
    def resume_writing(self): self.busy = self.told < len(self.text); self.upstream.count()
    def connection_lost(self, error): self.busy = False; self.upstream.connections.discard(self); self.upstream.count()
class Upstream:
    def __init__(self): self.calls, self.opened, self.moves, self.until, self.size, self.texts, self.connections = 0, 0, 0, None, 500_000, [], set()
    in_flight = property(lambda self: sum(c.busy for c in self.connections))
    def count(self, calls=0, opened=0): self.calls += calls; self.opened += opened; self.moves += 1
    def hold(self, after=0): self.until = after; [c.go_on() for c in list(self.connections)]
    def release(self): self.hold(None)
    def fail(self, n=1, status=500):
        for c in [c for c in self.connections if c.busy and c.told < 0][:n]: c.status = status; c.go_on()
    async def held(self, n):  # no deadline: it ends when n calls are there, or when nothing moves any more
        await self.settled(lambda: self.in_flight >= n, 10)
        assert self.in_flight >= n, f"{self.in_flight} of {n} calls in flight, and nothing moves any more"
    async def settled(self, enough=lambda: False, rounds=3):
        async with httpx.AsyncClient(timeout=30) as probe:  # seconds that only a blocked loop needs
            while not enough() and rounds > 0:
                before = self.moves
                for _ in range(20): await probe.get(self.app_url + "/no-such-path")  # its loop turns
                rounds -= self.moves == before
@pytest.fixture
async def upstream(anyio_backend):
    upstream = Upstream()
    async with await asyncio.get_running_loop().create_server(lambda: Connection(upstream), "127.0.0.1", 0) as server:
        upstream.url = "http://127.0.0.1:%d/text" % server.sockets[0].getsockname()[1]
        yield upstream
        [c.transport.abort() for c in list(upstream.connections)]
@pytest.fixture
async def url(upstream, monkeypatch):
    module = importlib.import_module(os.environ.get("APP", "main"))
    monkeypatch.setattr(module, "URL", upstream.url)
    server = uvicorn.Server(uvicorn.Config(module.app, log_level="critical", timeout_graceful_shutdown=1))
    door = socket.socket(proto=socket.IPPROTO_TCP); door.bind(("127.0.0.1", 0)); door.listen(100)
    (thread := threading.Thread(target=server.run, args=([door],), daemon=True)).start()
    upstream.app_url = "http://127.0.0.1:%d" % door.getsockname()[1]
    yield upstream.app_url
    server.should_exit = True; await asyncio.to_thread(thread.join, 10)
