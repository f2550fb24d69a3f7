"""A moment by which a request is over, whatever the server does.

The time-out of a socket is for each piece that is sent or received: a server that takes or sends a byte now
and then would never be late. Here what is left until the moment is the time-out of every piece.
"""

from __future__ import annotations

import http.client
import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    import requests
    from urllib3.poolmanager import ProxyManager

__all__ = ["keep_time", "until"]

_PIECE_BYTES = 16 * 1024
"""What TLS sends at once at most."""

_deadline: ContextVar[float | None] = ContextVar("stratuslab_deadline", default=None)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let the requests within be over by a moment of ``time.monotonic()``; they raise ``TimeoutError``."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def keep_time(session: requests.Session) -> None:
    """Let all requests of a session be such that :func:`until` ends them."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TimedAdapter())


class _TimedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **settings: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **settings)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


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
        """Read status and headers, without what is no header: urllib3 would write that into its log."""
        super().begin()
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Timed(HTTPConnection):
    response_class = _TimedResponse

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        try:
            connection.settimeout(_time_left())
        except TimeoutError:
            connection.close()
            raise
        return connection

    def send(self, data: Any) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(_time_left())
            super().send(data[start : start + _PIECE_BYTES])


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _TimedTls(_Timed, HTTPSConnection):
    pass


class _TimedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTls


_POOLS = {"http": _TimedPool, "https": _TimedTlsPool}


def _time_left() -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
