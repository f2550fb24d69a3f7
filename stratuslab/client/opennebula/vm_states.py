"""OpenNebula's numbers for the state of a VM, from 2.2 to 7.x, and what they mean to a user."""

from __future__ import annotations

from enum import Enum

__all__ = ["ACTIVE", "VmState", "label_of", "state_of"]

ACTIVE = 3
"""The STATE in which LCM_STATE says more."""


class VmState(Enum):
    """What a VM is doing."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    MIGRATING = "migrating"
    STOPPING = "stopping"
    TERMINATING = "terminating"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"
    ERROR = "error"
    UNKNOWN = "unknown"


_STATES: dict[int, tuple[str, VmState]] = {
    0: ("INIT", VmState.PENDING),
    1: ("PENDING", VmState.PENDING),
    2: ("HOLD", VmState.PENDING),
    4: ("STOPPED", VmState.STOPPED),
    5: ("SUSPENDED", VmState.SUSPENDED),
    6: ("DONE", VmState.TERMINATED),
    7: ("FAILED", VmState.ERROR),
    8: ("POWEROFF", VmState.STOPPED),
    9: ("UNDEPLOYED", VmState.STOPPED),
    10: ("CLONING", VmState.PENDING),
    11: ("CLONING_FAILURE", VmState.ERROR),
}

_LCM_LABELS = (
    "LCM_INIT",
    "PROLOG",
    "BOOT",
    "RUNNING",
    "MIGRATE",
    "SAVE_STOP",
    "SAVE_SUSPEND",
    "SAVE_MIGRATE",
    "PROLOG_MIGRATE",
    "PROLOG_RESUME",
    "EPILOG_STOP",
    "EPILOG",
    "SHUTDOWN",
    "CANCEL",
    "FAILURE",
    "CLEANUP",
    "UNKNOWN",
    "HOTPLUG",
    "SHUTDOWN_POWEROFF",
    "BOOT_UNKNOWN",
    "BOOT_POWEROFF",
    "BOOT_SUSPENDED",
    "BOOT_STOPPED",
    "CLEANUP_DELETE",
    "HOTPLUG_SNAPSHOT",
    "HOTPLUG_NIC",
    "HOTPLUG_SAVEAS",
    "HOTPLUG_SAVEAS_POWEROFF",
    "HOTPLUG_SAVEAS_SUSPENDED",
    "SHUTDOWN_UNDEPLOY",
    "EPILOG_UNDEPLOY",
    "PROLOG_UNDEPLOY",
    "BOOT_UNDEPLOY",
    "HOTPLUG_PROLOG_POWEROFF",
    "HOTPLUG_EPILOG_POWEROFF",
    "BOOT_MIGRATE",
    "BOOT_FAILURE",
    "BOOT_MIGRATE_FAILURE",
    "PROLOG_MIGRATE_FAILURE",
    "PROLOG_FAILURE",
    "EPILOG_FAILURE",
    "EPILOG_STOP_FAILURE",
    "EPILOG_UNDEPLOY_FAILURE",
    "PROLOG_MIGRATE_POWEROFF",
    "PROLOG_MIGRATE_POWEROFF_FAILURE",
    "PROLOG_MIGRATE_SUSPEND",
    "PROLOG_MIGRATE_SUSPEND_FAILURE",
    "BOOT_UNDEPLOY_FAILURE",
    "BOOT_STOPPED_FAILURE",
    "PROLOG_RESUME_FAILURE",
    "PROLOG_UNDEPLOY_FAILURE",
    "DISK_SNAPSHOT_POWEROFF",
    "DISK_SNAPSHOT_REVERT_POWEROFF",
    "DISK_SNAPSHOT_DELETE_POWEROFF",
    "DISK_SNAPSHOT_SUSPENDED",
    "DISK_SNAPSHOT_REVERT_SUSPENDED",
    "DISK_SNAPSHOT_DELETE_SUSPENDED",
    "DISK_SNAPSHOT",
    "DISK_SNAPSHOT_REVERT",
    "DISK_SNAPSHOT_DELETE",
    "PROLOG_MIGRATE_UNKNOWN",
    "PROLOG_MIGRATE_UNKNOWN_FAILURE",
    "DISK_RESIZE",
    "DISK_RESIZE_POWEROFF",
    "DISK_RESIZE_UNDEPLOYED",
    "HOTPLUG_NIC_POWEROFF",
    "HOTPLUG_RESIZE",
    "HOTPLUG_SAVEAS_UNDEPLOYED",
    "HOTPLUG_SAVEAS_STOPPED",
    "BACKUP",
    "BACKUP_POWEROFF",
    "RESTORE",
)

_LCM_NUMBERS: dict[VmState, tuple[int, ...]] = {
    VmState.STARTING: (0, 1, 2, 9, *range(19, 23), 31, 32, 35),
    VmState.RUNNING: (3, 17, *range(24, 27), *range(57, 60), 62, 66, 69),
    VmState.MIGRATING: (4, 7, 8),
    VmState.STOPPING: (5, 6, 10, 18, 29, 30),
    VmState.TERMINATING: (11, 12, 13, 15, 23),
    VmState.STOPPED: (27, 28, 33, 34, 43, 45, *range(51, 57), 60, *range(63, 66), 67, 68, 70, 71),
    VmState.ERROR: (14, *range(36, 43), 44, *range(46, 51), 61),
    VmState.UNKNOWN: (16,),
}

_LCM_STATES = {number: state for state, numbers in _LCM_NUMBERS.items() for number in numbers}


def state_of(state: int, lcm_state: int) -> VmState:
    """Return what STATE and LCM_STATE mean; an unknown number is UNKNOWN."""
    if state == ACTIVE:
        return _LCM_STATES.get(lcm_state, VmState.UNKNOWN)
    return _STATES.get(state, ("", VmState.UNKNOWN))[1]


def label_of(state: int, lcm_state: int) -> str:
    """Return OpenNebula's own word for the state, or the number where there is none."""
    if state == ACTIVE:
        return _LCM_LABELS[lcm_state] if 0 <= lcm_state < len(_LCM_LABELS) else f"LCM_STATE {lcm_state}"
    return _STATES[state][0] if state in _STATES else f"STATE {state}"
