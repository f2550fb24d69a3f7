"""A virtual machine as OpenNebula keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import OWNERS

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.template.template import Template


class VmState(IntEnum):
    """STATE of a VM."""

    INIT = 0
    PENDING = 1
    HOLD = 2
    ACTIVE = 3
    STOPPED = 4
    SUSPENDED = 5
    DONE = 6
    FAILED = 7


class LcmState(IntEnum):
    """LCM_STATE of a VM, which has a meaning while its STATE is ACTIVE."""

    LCM_INIT = 0
    PROLOG = 1
    BOOT = 2
    RUNNING = 3
    MIGRATE = 4
    SAVE_STOP = 5
    SAVE_SUSPEND = 6
    SAVE_MIGRATE = 7
    PROLOG_MIGRATE = 8
    PROLOG_RESUME = 9
    EPILOG_STOP = 10
    EPILOG = 11
    SHUTDOWN = 12
    CANCEL = 13
    FAILURE = 14
    CLEANUP = 15
    UNKNOWN = 16


class Reason(IntEnum):
    """REASON of a history record: why the VM left its host."""

    NONE = 0
    ERROR = 1
    STOP_RESUME = 2
    USER = 3
    CANCEL = 4


@dataclass
class History:
    """A stay of a VM on a host; times in Unix seconds, 0 for what has not happened."""

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
    reason: Reason = Reason.NONE


class Turn(Enum):
    """What happens to a VM without being asked for, when its time has come."""

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
class VirtualMachine:
    """A VM; times in Unix seconds, `memory` (measured) in KiB, `cpu` (measured) in percent.

    The states are plain numbers, for a VM may be shown in one that OpenNebula 3.2 does not know.
    `agenda` tells what will happen to it, soonest first. `ignores_acpi` says that the guest does not shut
    down when it is asked to. A VM with a `literal` was made up by a test; its document is that text.
    `permissions` are nine digits: use, manage and administrate, of the owner, the group and all others.
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
    history: list[History] = field(default_factory=list)
    agenda: list[tuple[float, Turn]] = field(default_factory=list)
    ignores_acpi: bool = False
    literal: str = ""
    permissions: str = OWNERS

    def allows(self, user: User, right: str) -> bool:
        """Tell whether a user has a right: USE, MANAGE or ADMIN. A VM of a test's own is everybody's."""
        column = ("USE", "MANAGE", "ADMIN").index(right)
        owner, group, other = (self.permissions[first + column] == "1" for first in (0, 3, 6))
        return (
            user.is_admin
            or (right != "ADMIN" and bool(self.literal))
            or (owner and self.owner.uid == user.uid)
            or (group and self.owner.gid == user.gid)
            or other
        )

    def move(self, state: int, lcm_state: int = LcmState.LCM_INIT) -> None:
        """Put the VM into a state."""
        self.state = state
        self.lcm_state = lcm_state

    def is_active(self, *lcm_states: int) -> bool:
        """Tell whether the VM is ACTIVE and in one of these life-cycle states."""
        return self.state == VmState.ACTIVE and self.lcm_state in lcm_states
