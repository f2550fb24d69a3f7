from __future__ import annotations

import pytest

from stratuslab.client.opennebula.vm_states import VmState, label_of, state_of

ACTIVE = 3

STATES = """
    0 INIT pending
    1 PENDING pending
    2 HOLD pending
    4 STOPPED stopped
    5 SUSPENDED suspended
    6 DONE terminated
    7 FAILED error
    8 POWEROFF stopped
    9 UNDEPLOYED stopped
    10 CLONING pending
    11 CLONING_FAILURE error
"""

LCM_STATES = """
    0 LCM_INIT starting
    1 PROLOG starting
    2 BOOT starting
    3 RUNNING running
    4 MIGRATE migrating
    5 SAVE_STOP stopping
    6 SAVE_SUSPEND stopping
    7 SAVE_MIGRATE migrating
    8 PROLOG_MIGRATE migrating
    9 PROLOG_RESUME starting
    10 EPILOG_STOP stopping
    11 EPILOG terminating
    12 SHUTDOWN terminating
    13 CANCEL terminating
    14 FAILURE error
    15 CLEANUP terminating
    16 UNKNOWN unknown
    17 HOTPLUG running
    18 SHUTDOWN_POWEROFF stopping
    19 BOOT_UNKNOWN starting
    20 BOOT_POWEROFF starting
    21 BOOT_SUSPENDED starting
    22 BOOT_STOPPED starting
    23 CLEANUP_DELETE terminating
    24 HOTPLUG_SNAPSHOT running
    25 HOTPLUG_NIC running
    26 HOTPLUG_SAVEAS running
    27 HOTPLUG_SAVEAS_POWEROFF stopped
    28 HOTPLUG_SAVEAS_SUSPENDED stopped
    29 SHUTDOWN_UNDEPLOY stopping
    30 EPILOG_UNDEPLOY stopping
    31 PROLOG_UNDEPLOY starting
    32 BOOT_UNDEPLOY starting
    33 HOTPLUG_PROLOG_POWEROFF stopped
    34 HOTPLUG_EPILOG_POWEROFF stopped
    35 BOOT_MIGRATE starting
    36 BOOT_FAILURE error
    37 BOOT_MIGRATE_FAILURE error
    38 PROLOG_MIGRATE_FAILURE error
    39 PROLOG_FAILURE error
    40 EPILOG_FAILURE error
    41 EPILOG_STOP_FAILURE error
    42 EPILOG_UNDEPLOY_FAILURE error
    43 PROLOG_MIGRATE_POWEROFF stopped
    44 PROLOG_MIGRATE_POWEROFF_FAILURE error
    45 PROLOG_MIGRATE_SUSPEND stopped
    46 PROLOG_MIGRATE_SUSPEND_FAILURE error
    47 BOOT_UNDEPLOY_FAILURE error
    48 BOOT_STOPPED_FAILURE error
    49 PROLOG_RESUME_FAILURE error
    50 PROLOG_UNDEPLOY_FAILURE error
    51 DISK_SNAPSHOT_POWEROFF stopped
    52 DISK_SNAPSHOT_REVERT_POWEROFF stopped
    53 DISK_SNAPSHOT_DELETE_POWEROFF stopped
    54 DISK_SNAPSHOT_SUSPENDED stopped
    55 DISK_SNAPSHOT_REVERT_SUSPENDED stopped
    56 DISK_SNAPSHOT_DELETE_SUSPENDED stopped
    57 DISK_SNAPSHOT running
    58 DISK_SNAPSHOT_REVERT running
    59 DISK_SNAPSHOT_DELETE running
    60 PROLOG_MIGRATE_UNKNOWN stopped
    61 PROLOG_MIGRATE_UNKNOWN_FAILURE error
    62 DISK_RESIZE running
    63 DISK_RESIZE_POWEROFF stopped
    64 DISK_RESIZE_UNDEPLOYED stopped
    65 HOTPLUG_NIC_POWEROFF stopped
    66 HOTPLUG_RESIZE running
    67 HOTPLUG_SAVEAS_UNDEPLOYED stopped
    68 HOTPLUG_SAVEAS_STOPPED stopped
    69 BACKUP running
    70 BACKUP_POWEROFF stopped
    71 RESTORE stopped
"""


def rows(table: str) -> list[tuple[int, str, str]]:
    split = (line.split() for line in table.strip().splitlines())
    return [(int(number), label, state) for number, label, state in split]


def test_the_tables_above_have_every_number() -> None:
    assert [number for number, _, _ in rows(LCM_STATES)] == list(range(72))
    assert [number for number, _, _ in rows(STATES)] == [n for n in range(12) if n != ACTIVE]


@pytest.mark.parametrize(("number", "label", "state"), rows(LCM_STATES), ids=lambda item: str(item))
def test_an_active_vm_s_state(number: int, label: str, state: str) -> None:
    assert state_of(ACTIVE, number) is VmState(state)
    assert label_of(ACTIVE, number) == label


@pytest.mark.parametrize(("number", "label", "state"), rows(STATES), ids=lambda item: str(item))
@pytest.mark.parametrize("lcm_state", [-1, 0, 3, 14, 72])
def test_another_vm_s_state_does_not_depend_on_the_lcm_state(
    number: int, label: str, state: str, lcm_state: int
) -> None:
    assert state_of(number, lcm_state) is VmState(state)
    assert label_of(number, lcm_state) == label


@pytest.mark.parametrize("number", [-1, 72, 1000, 10**30])
def test_an_unknown_lcm_state_is_unknown_and_labelled_by_its_number(number: int) -> None:
    assert state_of(ACTIVE, number) is VmState.UNKNOWN
    assert label_of(ACTIVE, number) == f"LCM_STATE {number}"


@pytest.mark.parametrize("number", [-1, 12, 1000, 10**30])
def test_an_unknown_state_is_unknown_and_labelled_by_its_number(number: int) -> None:
    assert state_of(number, 3) is VmState.UNKNOWN
    assert label_of(number, 3) == f"STATE {number}"
