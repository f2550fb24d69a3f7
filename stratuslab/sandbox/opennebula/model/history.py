"""The history of a VM: on which hosts it was, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """REASON of a history record of 3.2: why the VM left its host."""

    NONE = 0
    ERROR = 1
    STOP_RESUME = 2
    USER = 3
    CANCEL = 4


@dataclass
class HistoryRecord:
    """A stay of a VM on a host; times in Unix seconds, 0 for what has not happened.

    `reason` is shown by 3.2; by later releases `action`, and who asked for it (`uid`, `gid`).
    """

    seq: int
    hid: int
    hostname: str
    stime: int
    etime: int = 0
    prolog_stime: int = 0
    prolog_etime: int = 0
    running_stime: int = 0
    running_etime: int = 0
    epilog_stime: int = 0
    epilog_etime: int = 0
    reason: int = int(Reason.NONE)
    action: int = 0
    uid: int = -1
    gid: int = -1

    def successor(self, now: float) -> HistoryRecord:
        """Return the record of a further stay on the same host, where the VM runs from `now` on."""
        return HistoryRecord(self.seq + 1, self.hid, self.hostname, int(now), running_stime=int(now))
