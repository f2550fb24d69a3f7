"""Which connection a request gets."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stratuslab.client.transport import pool


class Session:
    """Stands for a session, of which only the connection matters."""

    kept = True
    last_used = 0.0
    places = None

    def hang_up(self) -> None:
        self.kept = False


@pytest.mark.parametrize(
    ("idle", "fresh", "is_kept"), [(0.5, False, True), (3, False, False), (0.5, True, False)]
)
def test_a_connection_is_used_again_if_it_was_not_idle_for_long(
    monkeypatch: pytest.MonkeyPatch, idle: float, fresh: bool, is_kept: bool
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    make: Any = Session
    sessions = pool.SessionPool(make)
    used = sessions.borrow(1, fresh=False)
    assert used is not None
    sessions.give_back(used, keep=True)

    now += idle
    again = sessions.borrow(1, fresh=fresh)
    assert again is used
    assert again.kept is is_kept
