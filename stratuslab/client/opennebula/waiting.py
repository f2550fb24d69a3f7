"""Waiting until something is seen: with OpenNebula, accepted is not done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from stratuslab.client.errors import StratusLabError, is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pauses", "until_seen"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

_Seen = TypeVar("_Seen")


class Pauses:
    """The pauses between looks, which grow from 0.05 s to 1 s until the time is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end

    def wait(self) -> bool:
        """Wait a pause and return True; False at once if the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(self._pause, left))
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)
        return True


def until_seen(look: Callable[[], _Seen], done: Callable[[_Seen], bool], seconds: float) -> _Seen:
    """Look until ``done`` says so or the time is over, and return what was seen last.

    ``done`` may raise what it sees to have failed. A look that fails for a time is repeated.
    """
    pauses = Pauses(seconds)
    while True:
        failure: StratusLabError | None = None
        try:
            seen = look()
        except StratusLabError as error:
            if not is_temporary(error):
                raise
            failure = error
        else:
            if done(seen):
                return seen
        if not pauses.wait():
            if failure is not None:
                raise failure
            return seen
