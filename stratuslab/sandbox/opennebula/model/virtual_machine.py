"""A virtual machine as OpenNebula 3.2 keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY
from stratuslab.sandbox.opennebula.model.states import InState, LcmState, VmState
from stratuslab.sandbox.opennebula.model.users import OfUser

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.history import HistoryRecord
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.template.template import Template


class Turn(Enum):
    """What happens to a VM by itself when its time has come."""

    DEPLOYED = "deployed"
    TRANSFERRED = "transferred"
    BOOTED = "booted"
    SHUT_DOWN = "shut down"
    SHUTDOWN_IGNORED = "shutdown ignored"
    SAVED_TO_STOP = "saved to stop"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CLEANED_TO_RESUBMIT = "cleaned to resubmit"
    ENDED = "ended"


@dataclass
class VirtualMachine(InState, OfUser):
    """A VM; times in Unix seconds, `memory` (measured) in KiB, `cpu` (measured) in percent.

    The states are plain numbers, because a test may put a VM into one that OpenNebula 3.2 does not know.
    `agenda` tells what will happen to it, soonest first. `ignores_acpi` says that the guest does not shut
    down when it is asked to. A VM with a `literal` was made up by a test; its document is that text.
    """

    id: int
    owner: User
    name: str
    template: Template
    stime: int
    state: int = VmState.PENDING
    lcm_state: int = LcmState.LCM_INIT
    etime: int = 0
    last_poll: int = 0
    deploy_id: str = ""
    memory: int = 0
    cpu: int = 0
    history: list[HistoryRecord] = field(default_factory=list)
    agenda: list[tuple[float, Turn]] = field(default_factory=list)
    ignores_acpi: bool = False
    literal: str = ""
    permissions: str = OWNER_ONLY
