"""The time of the sandbox."""

from __future__ import annotations

import threading
import time


class Clock:
    """Tell the time: that of this machine, until the clock is stopped or stepped.

    With `start` (Unix seconds) the clock is stopped from the beginning and shows that time. A clock never
    goes back. Thread-safe.
    """

    def __init__(self, start: float | None = None) -> None:
        self._lock = threading.Lock()
        self._running = start is None
        self._shown = time.time() if start is None else start
        self._since = time.monotonic()

    def now(self) -> float:
        """Return the time in Unix seconds."""
        with self._lock:
            return self._read()

    def stop(self) -> None:
        """Show the present time from now on, until the clock is stepped."""
        with self._lock:
            self._shown = self._read()
            self._running = False

    def step(self, seconds: float) -> None:
        """Put the clock forward, whether it runs or not; ValueError if `seconds` is negative."""
        if seconds < 0:
            raise ValueError("a clock never goes back")
        with self._lock:
            self._shown += seconds

    def _read(self) -> float:
        if not self._running:
            return self._shown
        return self._shown + (time.monotonic() - self._since)
