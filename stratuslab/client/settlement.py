"""Finding out whether a call whose answer was lost was carried out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from stratuslab.client.errors import CredentialsError, StratusLabError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["settle"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_Found = TypeVar("_Found")


def settle(look: Callable[[], _Found | None], grace: float) -> _Found | None:
    """Look until there is something, or ``grace`` seconds are over, in which a request may still arrive.

    A look that fails is repeated like one that finds nothing, unless the credentials are refused.
    """
    end = time.monotonic() + grace
    pause = _FIRST_PAUSE
    while True:
        try:
            found = look()
        except CredentialsError:
            return None
        except StratusLabError:
            found = None
        left = end - time.monotonic()
        if found is not None or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
