"""An upstream that speaks HTTP/2 in the clear and counts: connections, and calls in flight.

`python -m bench.h2_upstream DELAY STREAMS` serves one in a process of its own; `H2Upstream` starts
it and asks it. It allows `STREAMS` streams for each connection, and answers `DELAY` seconds late.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import h2.config
import h2.connection
import h2.events
import h2.settings

if TYPE_CHECKING:
    from types import TracebackType

BODY = b"x" * 200
_HEAD = [(":status", "200"), ("content-type", "text/plain"), ("content-length", str(len(BODY)))]
_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Counts:
    """What has happened since the last reset."""

    requests: int = 0
    opened: int = 0
    """Connections."""
    in_flight: int = 0
    peak: int = 0
    """The most calls in flight at once."""


class H2Upstream:
    """A context manager: the upstream runs within it, in a process of its own."""

    def __init__(self, delay: float = 0.2, *, streams: int = 1000) -> None:
        self._command = [sys.executable, "-m", "bench.h2_upstream", str(delay), str(streams)]

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True
        )
        self.url = f"http://127.0.0.1:{self._line()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("reset")

    @property
    def counts(self) -> Counts:
        """What has happened since the last reset."""
        return Counts(**json.loads(self._ask("counts")))

    def _ask(self, word: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError("the upstream that speaks HTTP/2 has ended")
        return line


class _Connection(asyncio.Protocol):
    """One connection: every request on it is answered late, each on a stream of its own."""

    def __init__(self, counts: Counts, delay: float, streams: int) -> None:
        self._counts, self._delay = counts, delay
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._state = h2.connection.H2Connection(config)
        allowed = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        self._state.local_settings = h2.settings.Settings(client=False, initial_values=allowed)
        self._open: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counts.opened += 1
        self._state.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        for event in self._state.receive_data(data):
            if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                self._begin(event.stream_id)
                loop.call_later(self._delay, self._answer, event.stream_id)
            elif isinstance(event, h2.events.StreamReset) and event.stream_id is not None:
                self._end(event.stream_id)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        for stream in list(self._open):
            self._end(stream)

    def _begin(self, stream: int) -> None:
        self._open.add(stream)
        self._counts.requests += 1
        self._counts.in_flight += 1
        self._counts.peak = max(self._counts.peak, self._counts.in_flight)

    def _end(self, stream: int) -> None:
        if stream in self._open:
            self._open.remove(stream)
            self._counts.in_flight -= 1

    def _answer(self, stream: int) -> None:
        if stream not in self._open:  # The caller has left.
            return
        self._state.send_headers(stream, _HEAD)
        self._state.send_data(stream, BODY, end_stream=True)
        self._end(stream)
        self._flush()

    def _flush(self) -> None:
        self._transport.write(self._state.data_to_send())


async def _serve(delay: float, streams: int) -> None:
    counts = Counts()
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(
        lambda: _Connection(counts, delay, streams), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)

    def obey() -> None:
        for line in sys.stdin:
            if line.strip() == "reset":
                in_flight = counts.in_flight
                counts.__init__(in_flight=in_flight, peak=in_flight)  # type: ignore[misc]
            print(json.dumps(asdict(counts)), flush=True)
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=obey, daemon=True).start()
    await over.wait()


def _main() -> None:
    from unblocked.rig import raise_descriptor_limit

    raise_descriptor_limit()
    delay, streams = sys.argv[1:]
    asyncio.run(_serve(float(delay), int(streams)))


if __name__ == "__main__":
    _main()
