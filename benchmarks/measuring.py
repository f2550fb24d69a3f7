"""What the cases share: a ratio with its limit, and calls timed in turn."""

from __future__ import annotations

import statistics
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stratuslab.client.transport.connection import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.transport.connection import ServiceConnection


@dataclass(frozen=True)
class Result:
    """A ratio, the most that it may be, and what was measured for it."""

    case: str
    what: str
    ratio: float
    limit: float
    measured: dict[str, float]


def against(
    case: str,
    what: str,
    limit: float,
    rounds: int,
    ours: Callable[[], int],
    floor: Callable[[], int],
    count: int,
) -> Result:
    """Return the time of our way as a multiple of the least."""
    if not ours() == floor() == count:
        raise RuntimeError(f"{case}: not all were read")
    mine, least = interleaved(rounds, ours, floor)
    return Result(case, what, mine / least, limit, {"seconds": mine, "floor_seconds": least})


def interleaved(rounds: int, *calls: Callable[[], Any]) -> list[float]:
    """Return the median seconds of each call, taken in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]


def sent(connection: ServiceConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    """Return the body of an answer, which nothing reads."""
    pieces: list[bytes] = []
    connection.exchange(Request("the floor", method, path, body=body, reader=lambda: pieces.append))
    return b"".join(pieces)


def counts(url: str) -> list[int]:
    """Return how many requests and connections the server has seen."""
    with urllib.request.urlopen(f"{url}/counts") as answer:
        return [int(count) for count in answer.read().split()]
