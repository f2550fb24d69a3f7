"""Finding out whether a call whose answer was lost was carried out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from stratuslab.client.errors import (
    AnswerLostError,
    CredentialsError,
    DuplicateError,
    StratusLabError,
    outcome_unknown,
    refused_by_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["grace_after", "settle", "settled", "unsettled"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_Found = TypeVar("_Found")


def grace_after(error: StratusLabError, timeout: float) -> float | None:
    """Return for how many seconds to look for what a failed call may have made; None: do not look.

    A request may be under way for the time-out. After a status that says that nothing was done, one look (0)
    is enough: a server in between may have asked twice.
    """
    if outcome_unknown(error):
        return timeout
    return 0.0 if refused_by_status(error) else None


def settled(error: StratusLabError, look: Callable[[], _Found | None], timeout: float) -> _Found | None:
    """Return what a failed call has made or done, as ``look`` shows it; None where that may still come.

    :raises StratusLabError: the call's own error, if nothing was done.
    :raises DuplicateError: see :func:`settle`.
    """
    grace = grace_after(error, timeout)
    if grace is None:
        raise error
    try:
        found = settle(look, grace)
    except DuplicateError:
        raise
    except StratusLabError as failed:
        # If call and look are both refused, nothing was made; any other failed look tells nothing.
        if isinstance(error, CredentialsError) and isinstance(failed, CredentialsError):
            raise error from None
        return None
    if found is None and not outcome_unknown(error):
        raise error
    return found


def unsettled(error: StratusLabError) -> StratusLabError:
    """Return the worst that may be true of a call of which no look tells whether it was carried out."""
    if outcome_unknown(error):
        return error
    return AnswerLostError(
        f"{error.message}; whether this was carried out could not be seen",
        location=error.location,
        operation=error.operation,
    )


def settle(look: Callable[[], _Found | None], grace: float) -> _Found | None:
    """Look until something is found, or ``grace`` seconds are over: until then a request may still arrive.

    A look that fails is repeated like one that finds nothing, unless the credentials are refused.

    :raises StratusLabError: that the last look raised; nothing is known then.
    :raises DuplicateError: at once, if there are several things where there should be one.
    """
    end = time.monotonic() + grace
    pause = _FIRST_PAUSE
    while True:
        try:
            found = look()
        except (CredentialsError, DuplicateError):
            raise
        except StratusLabError:
            left = end - time.monotonic()
            if left <= 0:
                raise
        else:
            left = end - time.monotonic()
            if found is not None or left <= 0:
                return found
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
