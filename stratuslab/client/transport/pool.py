"""A few sessions of one service, so that the requests of several threads go side by side."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.transport.session import ServiceSession

__all__ = ["MAX_IDLE_SECONDS", "MAX_SESSIONS", "SessionPool"]

MAX_SESSIONS = 4
MAX_IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: a firewall may have dropped it silently."""


class SessionPool:
    """Sessions that threads borrow, each for one request at a time.

    A process that was forked begins with none: to use those of its parent would mix their answers.
    """

    def __init__(self, make: Callable[[], ServiceSession]) -> None:
        self._make = make
        self.forget_all()
        _pools.add(self)

    def forget_all(self) -> None:
        """Forget all sessions, also those in use: they are closed when their requests are done."""
        self._idle: list[ServiceSession] = []
        self._places = threading.Semaphore(MAX_SESSIONS)
        self._lent: set[ServiceSession] = set()

    def borrow(self, seconds: float, *, fresh: bool) -> ServiceSession | None:
        """Return a session, after some seconds of waiting if need be; None if all stay in use.

        A ``fresh`` one has no connection yet.
        """
        places = self._places
        if not places.acquire(timeout=max(seconds, 0)):
            return None
        try:
            session = self._usable(fresh=fresh) or self._make()
        except BaseException:
            places.release()
            raise
        session.places = places
        self._lent.add(session)
        return session

    def _usable(self, *, fresh: bool) -> ServiceSession | None:
        try:
            session = self._idle.pop()
        except IndexError:
            return None
        if fresh or time.monotonic() - session.last_used > MAX_IDLE_SECONDS:
            session.hang_up()
        return session

    def give_back(self, session: ServiceSession, *, keep: bool) -> None:
        """Take a session back; its connection is closed unless ``keep`` says that it is in order."""
        known = session in self._lent
        self._lent.discard(session)
        if not (keep and known):
            session.hang_up()
        session.last_used = time.monotonic()
        if known:
            self._idle.append(session)
        if session.places is not None:
            session.places.release()

    def hang_up(self) -> None:
        """Close the connections that nobody uses now."""
        while True:
            try:
                self._idle.pop().hang_up()
            except IndexError:
                return

    def close(self) -> None:
        """Close all connections, those in use when their requests are done. The pool can be used again."""
        idle, self._idle = self._idle, []
        self._lent = set()
        for session in idle:
            session.hang_up()


_pools: WeakSet[SessionPool] = WeakSet()


def _forget_the_parents() -> None:
    """Close a forked process's copies of its parent's connections. Nothing is sent: the parent uses them."""
    for pool in list(_pools):
        pool.hang_up()
        pool.forget_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents)
