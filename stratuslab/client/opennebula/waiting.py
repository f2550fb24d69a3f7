"""Waiting until something is seen: with OpenNebula, accepted is not done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from stratuslab.client.errors import AnswerLostError, NotFoundError, StratusLabError, is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pauses", "until_seen"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_MOST_REFUSALS = 3

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

    ``done`` may raise what it sees to have failed. A look that fails is repeated, unless there is nothing to
    look at any more.

    :raises AnswerLostError: if nothing can be seen: the order that came before may have been carried out.
    """
    pauses = Pauses(seconds)
    refusals = 0
    while True:
        failure: StratusLabError | None = None
        try:
            seen = look()
        except NotFoundError:
            raise
        except StratusLabError as error:
            failure = error
            refusals += not is_temporary(error)
        else:
            if done(seen):
                return seen
        in_time = pauses.wait()
        if failure is not None and (not in_time or refusals >= _MOST_REFUSALS):
            raise AnswerLostError(
                f"{failure.message}; the cloud had accepted the order before, and may have carried it out",
                location=failure.location,
                operation=failure.operation,
            ) from failure
        if not in_time:
            return seen
