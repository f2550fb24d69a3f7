"""What was asked of the sandbox."""

from __future__ import annotations

import itertools
import threading
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class LoggedRequest:
    """A request and how it was answered.

    `service` is "compute", "pdisk" or "marketplace". `operation` is the XML-RPC method, or the HTTP method
    and the path with UUID, ID or MOUNT in the place of what differs. `status` is the HTTP status, 0 if the
    connection was cut without an answer. `connection` is the client's port: the same for all requests of a
    connection. `faults` are the rules of the faults that the request met.
    """

    service: str
    operation: str
    location: str
    status: int
    connection: int
    faults: tuple[str, ...] = ()


LIMIT = 10_000
"""How many requests are kept: the oldest ones are forgotten."""


class RequestLog(Sequence[LoggedRequest]):
    """The last requests in the order of their arrival, each recorded before its answer is sent.

    Thread-safe. At most `LIMIT` are kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals = itertools.count()
        self._requests: list[tuple[int, LoggedRequest]] = []

    def arrival(self) -> int:
        """Return the number of a request that arrives now."""
        return next(self._arrivals)

    def record(self, arrival: int, request: LoggedRequest) -> None:
        """Enter a request at the place of its number of arrival."""
        with self._lock:
            insort(self._requests, (arrival, request), key=itemgetter(0))
            del self._requests[:-LIMIT]

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()

    def operations(self) -> list[str]:
        """Return the operations alone."""
        return [request.operation for request in self]

    def newest(self, count: int) -> list[tuple[int, LoggedRequest]]:
        """Return at most this many requests, newest first, each with its number of arrival."""
        with self._lock:
            return self._requests[: -count - 1 : -1]

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[LoggedRequest]: ...
    def __getitem__(self, index: int | slice) -> LoggedRequest | list[LoggedRequest]:
        return self._entries()[index]

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __repr__(self) -> str:
        return f"<RequestLog {self._entries()!r}>"

    def _entries(self) -> list[LoggedRequest]:
        with self._lock:
            return [request for _, request in self._requests]
