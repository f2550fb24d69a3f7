from __future__ import annotations

import contextlib
import functools
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


NOTHING: Any = None
"""What a program gives that does not know a thing, whatever Libcloud's types ask for."""


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    clock = Clock()
    clock.stop()
    return clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """One cloud, "here", whose VMs run 2 s after they were started, when the clock is stepped."""
    with Sandbox(locations=["here"], clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def two_clouds(clock: Clock) -> Iterator[Sandbox]:
    """Two clouds, "here" and "there"; "here" is the default location."""
    with Sandbox(locations=["here", "there"], clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def driver(sandbox: Sandbox) -> StratusLabNodeDriver:
    """A driver on ``sandbox`` which asks for a node's state each time."""
    return StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, ex_state_max_age=0)


class ScriptedServer:
    """Answers every connection with the same bytes, or treats it otherwise as told."""

    def __init__(self, treat: Callable[[socket.socket], object]) -> None:
        self._treat = treat
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.received: list[bytes] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self._stopping.is_set():
                    return
                with contextlib.suppress(OSError):
                    self.received.append(_read_request(connection))
                    self._treat(connection)

    def stop(self) -> None:
        self._stopping.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive()


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionAbortedError
    return data


def _read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += _received(connection)
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += _received(connection)
    return head + b"\r\n\r\n" + body


def http_answer(
    body: bytes, status: str = "200 OK", media_type: str = "text/xml", length: int | None = None
) -> bytes:
    """Return a whole HTTP answer, or with a ``length`` beyond the body's one that breaks off."""
    size = len(body) if length is None else length
    headers = f"Content-Type: {media_type}\r\nContent-Length: {size}\r\nConnection: close"
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode("ascii") + body


def _send(answer: bytes, connection: socket.socket) -> None:
    connection.sendall(answer)


@pytest.fixture
def serve() -> Iterator[Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer]]:
    """Start servers that answer with given bytes, or do with a connection what a function does."""
    with contextlib.ExitStack() as servers:

        def start(answer: bytes | Callable[[socket.socket], object]) -> ScriptedServer:
            treat = answer if callable(answer) else functools.partial(_send, answer)
            server = ScriptedServer(treat)
            servers.callback(server.stop)
            return server

        yield start


@pytest.fixture
def answer() -> Callable[..., bytes]:
    """The function that makes a whole HTTP answer."""
    return http_answer
