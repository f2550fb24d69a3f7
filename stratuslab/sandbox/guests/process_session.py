"""Sessions of processes: a leader, and all that has come of it but for daemons. On Linux.

A leader must not have been reaped: as long as it is there, at least as a zombie, its number is that of its
own session and of no other.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def living(leaders: Collection[int]) -> dict[int, int]:
    """Return the processes which run in the sessions of these leaders, each with its leader."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            _, _, facts = (folder / "stat").read_text(errors="replace").rpartition(")")
            state, _parent, _group, session = facts.split()[:4]
            if int(session) in leaders and state != "Z":
                found[int(folder.name)] = int(session)
    return found


def kill(processes: Collection[int]) -> set[int]:
    """Send SIGKILL to processes, which takes effect soon; return those which are not the user's to kill."""
    spared = set()
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except PermissionError:
            spared.add(process)
        except ProcessLookupError:
            continue
    return spared
