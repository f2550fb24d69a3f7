"""A moment by which a request is over, whatever the server does.

The time-out of a socket is for each piece that is sent or received: a server that takes or sends a byte now
and then would never be late. Here what is left until the moment is the time-out of every piece.
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import time
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from stratuslab.client.transport.covered import CoveredText

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from urllib3.poolmanager import PoolManager, ProxyManager

__all__ = ["Progress", "keep_time", "until"]

_PIECE_BYTES = 16 * 1024
"""The most that TLS sends at once."""

_KEEP_ALIVE = [
    (level, getattr(socket, option), value)
    for level, option, value in (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 10),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    )
    if hasattr(socket, option)
]
"""While an answer is waited for, seconds: a firewall keeps the connection in mind, a dead one is noticed."""


class Progress:
    """A request under way: by when it must be over, and whether any of it was given to a connection."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.sent = False


_progress: ContextVar[Progress | None] = ContextVar("stratuslab_progress", default=None)


@contextmanager
def until(deadline: float) -> Iterator[Progress]:
    """End the request in this context by a moment of ``time.monotonic()``.

    :raises TimeoutError: when the moment has come; from the request.
    """
    progress = Progress(deadline)
    token = _progress.set(progress)
    try:
        yield progress
    finally:
        _progress.reset(token)


def keep_time(session: requests.Session) -> None:
    """Prepare a session so that :func:`until` can end its requests."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TimedAdapter())


class _TimedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._close_with_this(self.poolmanager)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return the credentials for a proxy in Latin-1, or in UTF-8 where Latin-1 cannot hold them."""
        username, password = get_auth_from_url(proxy)
        if not username:
            return {}
        pair = CoveredText(f"{username}:{password}")
        try:
            encoded = pair.encode("latin-1")
        except UnicodeEncodeError:
            encoded = pair.encode()
        return {"Proxy-Authorization": CoveredText(f"Basic {base64.b64encode(encoded).decode('ascii')}")}

    def proxy_manager_for(self, proxy: str, **settings: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **settings)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        self._close_with_this(manager)
        return manager

    def _close_with_this(self, manager: PoolManager) -> None:
        """Close the connections of a manager as soon as nobody has this adapter: urllib3 1.26 would not."""
        weakref.finalize(self, manager.clear).atexit = False


class _TimedReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, stream: io.RawIOBase) -> None:
        self._connection = connection
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(_time_left())
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **settings: Any) -> None:
        super().__init__(sock, *arguments, **settings)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach()))

    def begin(self) -> None:
        """Read status and headers, and drop lines that are not headers: urllib3 would log them."""
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Timed(HTTPConnection):
    response_class = _TimedResponse
    _connecting = False

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        options = [*HTTPConnection.default_socket_options, *_KEEP_ALIVE]
        super().__init__(*arguments, **{"socket_options": options, **settings})

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        try:
            connection.settimeout(_time_left())
        except TimeoutError:
            connection.close()
            raise
        return connection

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        progress = _progress.get()
        if progress is not None and not self._connecting:
            progress.sent = True
        # Tools that print local variables show a copy, which may hold a password, but no view.
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(_time_left())
            super().send(view[start : start + _PIECE_BYTES])


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _Timed

    def urlopen(self, *arguments: Any, **settings: Any) -> Any:
        # requests does not ask for it, and urllib3 1.26 would then accept a part as the whole.
        return super().urlopen(*arguments, **{"enforce_content_length": True, **settings})


class _TimedTls(_Timed, HTTPSConnection):
    pass


class _TimedTlsPool(_TimedPool, HTTPSConnectionPool):
    ConnectionCls = _TimedTls


_POOLS = {"http": _TimedPool, "https": _TimedTlsPool}


def _time_left() -> float | None:
    progress = _progress.get()
    if progress is None:
        return None
    left = progress.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
