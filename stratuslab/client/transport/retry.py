"""What is sent again, and when.

=========================== ======================= =========================================================
request                     sent again              after
=========================== ======================= =========================================================
reads: ``one.vm.info``,     up to 3 times           a connection refused or cut, an answer cut in the middle,
``one.vmpool.info``, GET                            429, 502, 503, 504
``one.vm.action`` destroy   up to 3 times           the same: to end a VM twice is to end it once
DELETE of a disk or mount   up to 3 times           the same; if the first one may have been carried out,
                                                    PDisk's own word that it is not there is success
``one.user.update``         up to 3 times           the same, since to write a key twice is to write it once;
                                                    then the keys are looked at
``one.vm.allocate``,        never                   instead, what they make is looked for by its token (a
``one.image.allocate``,                             mount: by its VM) until the time-out has passed once more;
POST of a disk or a mount                           after a status of 3xx or 4xx just once (a mount: not then)
``one.vm.attach``,          never                   instead, the VM or the image is looked at
``detach``, ``disksaveas``,
``disksnapshotcreate``,
``disksnapshotdelete``,
``one.image.clone``,
``delete``,
``snapshotdelete``
other ``one.vm.action``     never                   the error says that it may have been carried out;
                                                    at OpenNebula, after 3xx or 4xx, the VM is looked at
=========================== ======================= =========================================================

What is raised after several tries is the worst that is true of all: once a try may have been carried out, no
refusal of a later one says that nothing was done. A look that failed settles nothing. An answer that does
not come on a connection kept from before is given up after half of the time, and asked for on a new one.

The pauses are 0.2, 0.4 and 0.8 s, each times a random factor between 0.5 and 1.5, or what ``Retry-After``
demands. All happens within the time-out of one request: what does not fit is not tried. A certificate or
password that is refused, a time-out, and any other answer end it at once. Libcloud's own switch for
retries, should it be set, does not reach the requests that are never sent again.
"""

from __future__ import annotations

import random
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from stratuslab.client.errors import AnswerLostError, AnswerTimeoutError, TlsError, UnreachableError

if TYPE_CHECKING:
    from stratuslab.client.errors import StratusLabError

__all__ = ["MAX_REPEATS", "TEMPORARY_STATUSES", "may_repeat_after", "pause_before", "seconds_of"]

MAX_REPEATS = 3
TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})

_FIRST_PAUSE = 0.2


def may_repeat_after(error: StratusLabError) -> bool:
    """Return whether a request that failed so is worth another try."""
    lasting = isinstance(error, (AnswerTimeoutError, TlsError))
    return isinstance(error, (UnreachableError, AnswerLostError)) and not lasting


def pause_before(repeat: int, retry_after: float | None) -> float:
    """Return the seconds to wait before the first (0) or a later repetition."""
    if retry_after is not None:
        return retry_after
    return float(_FIRST_PAUSE * 2**repeat * random.uniform(0.5, 1.5))


def seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, or None if it is missing or malformed."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
