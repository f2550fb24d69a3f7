"""On which host a VM is put, and why on none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import number
from stratuslab.sandbox.opennebula.model.hosts import NOTHING, Capacity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Vm
    from stratuslab.sandbox.opennebula.model.hosts import Host

_WISH = re.compile(r'(?<![A-Z])(NAME|HOSTNAME|ID)\s*=\s*"?([^"\s|&)]+)"?')


class Placement:
    """Chooses hosts, in turn, among those that a VM wants and that have room. Not thread-safe."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def host_for(self, vm: Vm) -> tuple[Host | None, str]:
        """Return the host for a VM; None and the reason if there is none."""
        hosts = self._books.hosts
        if not hosts:
            return None, "No hosts enabled to run VMs"
        wishes = vm.user_template.single("SCHED_REQUIREMENTS")
        wanted = [host for host in hosts if _suits(host, wishes)]
        if not wanted:
            return None, f"No host meets SCHED_REQUIREMENTS: {wishes}"
        first = (vm.id + len(vm.history)) % len(wanted)
        for host in (*wanted[first:], *wanted[:first]):
            if host.boundless or host.capacity.has_room_for(capacity_of([vm]) + self.taken(host)):
                return host, ""
        return None, "No host with enough capacity to deploy the VM"

    def taken(self, host: Host) -> Capacity:
        """Return how much of a host its VMs take."""
        return capacity_of(self.vms_on(host))

    def vms_on(self, host: Host) -> list[Vm]:
        """Return the VMs that are on a host now."""
        return [
            vm
            for vm in self._books.vms.values()
            if any(stay.hid == host.id and not stay.etime for stay in vm.history[-1:])
        ]


def capacity_of(vms: Iterable[Vm]) -> Capacity:
    """Return how much some VMs take together."""
    total = NOTHING
    for vm in vms:
        cpu, memory = (number(vm.template.single(name)) or 0.0 for name in ("CPU", "MEMORY"))
        total += Capacity(cpu=round(cpu * 100), memory=round(memory * 1024))
    return total


def _suits(host: Host, wishes: str) -> bool:
    found = _WISH.findall(wishes)
    return not found or any(value in (host.name, str(host.id)) for _, value in found)
