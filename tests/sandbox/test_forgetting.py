"""A cloud that has been used for long does not grow: what ended long ago is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Clock, Sandbox
from stratuslab.sandbox.opennebula import life_cycle, transfer_manager
from stratuslab.sandbox.pdisk.disks import SUPERUSER

if TYPE_CHECKING:
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.pdisk.disks import Disk

KEPT, MORE = 30, 3


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of each are kept, which takes seconds."""
    monkeypatch.setattr(life_cycle, "DONE_VMS_KEPT", KEPT)
    monkeypatch.setattr(transfer_manager, "QUARANTINED_DISKS_KEPT", KEPT)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(boot_seconds=0, clock=Clock(1_400_000_000.0))


@pytest.fixture
def location(sandbox: Sandbox) -> Location:
    return sandbox.location("sandbox")


def start(location: Location, template: str = "CPU = 1") -> int:
    ok, vm_id, _ = location.oned.call("one.vm.allocate", [template], "demo")
    assert ok
    return int(vm_id)


def finalize(location: Location, vm_id: int) -> None:
    assert location.oned.call("one.vm.action", ["finalize", vm_id], "demo")[0]
    location.oned.advance()


def code_of(location: Location, vm_id: int) -> int:
    return int(location.oned.call("one.vm.info", [vm_id], "demo")[2])


def test_vms_that_ended_long_ago_are_forgotten(sandbox: Sandbox, location: Location) -> None:
    survivor = start(location)
    ended = [start(location) for _ in range(KEPT + MORE)]
    for vm_id in ended:
        finalize(location, vm_id)
    sandbox.clock.step(1)
    assert [code_of(location, vm_id) for vm_id in ended[: MORE + 1]] == [0x400] * MORE + [0]
    assert code_of(location, ended[-1]) == code_of(location, survivor) == 0
    finalize(location, survivor)
    assert [code_of(location, vm_id) for vm_id in (survivor, ended[MORE], ended[MORE + 1])] == [0, 0x400, 0]
    assert start(location) == ended[-1] + 1


def test_pending_vms_too(sandbox: Sandbox) -> None:
    location = Sandbox(boot_seconds=3600, clock=sandbox.clock).location("sandbox")
    for _ in range(KEPT + 1):
        finalize(location, start(location))
    assert [code_of(location, vm_id) for vm_id in (0, 1)] == [0x400, 0]


def test_a_vm_that_a_test_made_up_stays(location: Location) -> None:
    location.oned.insert("<VM><ID>0</ID><STATE>6</STATE></VM>")
    for _ in range(KEPT + 1):
        finalize(location, start(location))
    assert [code_of(location, vm_id) for vm_id in (0, 1, 2)] == [0, 0x400, 0]


def test_disks_do_not_stay_in_quarantine_for_ever(sandbox: Sandbox, location: Location) -> None:
    template = 'DISK = [ SOURCE = "http://images.example.org/one.img" ]'

    def quarantined() -> list[Disk]:
        return [disk for disk in location.disks.disks(SUPERUSER) if disk.quarantine]

    survivor = start(location, template)
    location.oned.advance()
    [root] = location.disks.disks("demo")
    for _ in range(KEPT + MORE):
        finalize(location, start(location, template))
    assert len(quarantined()) == KEPT
    sandbox.clock.step(1)
    finalize(location, survivor)
    assert len(quarantined()) == KEPT
    assert root.uuid in [disk.uuid for disk in quarantined()]
