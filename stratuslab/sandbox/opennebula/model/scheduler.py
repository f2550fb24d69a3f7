"""OpenNebula's scheduler: on which host a VM is put, and whether there is room for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.hosts import NOTHING, Capacity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")


class Scheduler:
    """Chooses hosts in turn among those that have room. Not thread-safe."""

    def __init__(self, hosts: Sequence[Host], vms: Mapping[int, VirtualMachine]) -> None:
        self._hosts = hosts
        self._vms = vms

    def host_for(self, vm: VirtualMachine) -> Host | None:
        """Return the host for a VM; None if no host has room."""
        first = (vm.id + len(vm.history)) % max(1, len(self._hosts))
        in_turn = (*self._hosts[first:], *self._hosts[:first])
        return next((host for host in in_turn if host.boundless or self._has_room(host, vm)), None)

    def vms_on(self, host: Host) -> list[VirtualMachine]:
        """Return the VMs that are on a host now."""
        return [vm for vm in self._vms.values() if _is_on(vm, host)]

    def _has_room(self, host: Host, vm: VirtualMachine) -> bool:
        return host.capacity.has_room_for(requested(vm) + allotted(self.vms_on(host)))


def requested(vm: VirtualMachine) -> Capacity:
    """Return what the template of a VM asks for: CPU in cores, MEMORY in MiB; anything but a number is 0."""
    cores, mebibytes = (_number(vm.template.single(name)) for name in ("CPU", "MEMORY"))
    return Capacity(cpu=round(cores * 100), memory=round(mebibytes * 1024))


def allotted(vms: Sequence[VirtualMachine]) -> Capacity:
    """Return what some VMs take together."""
    return sum(map(requested, vms), NOTHING)


def _is_on(vm: VirtualMachine, host: Host) -> bool:
    return any(record.hid == host.id and not record.etime for record in vm.history[-1:])


def _number(text: str) -> float:
    return float(text) if _NUMBER.fullmatch(text) else 0.0
