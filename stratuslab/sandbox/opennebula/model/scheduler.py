"""OpenNebula's scheduler: on which host a VM is put, and why on none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from stratuslab.sandbox.opennebula.model.hosts import NOTHING, Capacity
from stratuslab.sandbox.opennebula.template.template import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stratuslab.sandbox.opennebula.model.history import HistoryRecord
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.template.template import Template

_WISH = re.compile(r'(?<![A-Z])(?:NAME|HOSTNAME|ID)\s*=\s*"?([^"\s|&)]+)"?')


class Machine(Protocol):
    """What the scheduler looks at in a VM."""

    id: int
    template: Template
    history: list[HistoryRecord]


class Scheduler:
    """Chooses hosts in turn among those that a VM wants and that have room. Not thread-safe.

    Wishes are the text of SCHED_REQUIREMENTS; only names and ids of hosts in it count.
    """

    def __init__(self, hosts: Sequence[Host], vms: Mapping[int, Machine]) -> None:
        self._hosts = hosts
        self._vms = vms

    def host_for(self, vm: Machine, wishes: str = "") -> Host | None:
        """Return the host for a VM; None if there is none."""
        hosts = self._wanted(wishes)
        first = (vm.id + len(vm.history)) % max(1, len(hosts))
        in_turn = (*hosts[first:], *hosts[:first])
        return next((host for host in in_turn if host.boundless or self._has_room(host, vm)), None)

    def reason_for_none(self, wishes: str) -> str:
        """Return why there is no host for a VM."""
        if not self._hosts:
            return "No hosts enabled to run VMs"
        if not self._wanted(wishes):
            return f"No host meets SCHED_REQUIREMENTS: {wishes}"
        return "No host with enough capacity to deploy the VM"

    def vms_on(self, host: Host) -> list[Machine]:
        """Return the VMs that are on a host now."""
        return [
            vm
            for vm in self._vms.values()
            if any(record.hid == host.id and not record.etime for record in vm.history[-1:])
        ]

    def _wanted(self, wishes: str) -> Sequence[Host]:
        names = _WISH.findall(wishes)
        return [host for host in self._hosts if not names or {host.name, str(host.id)} & {*names}]

    def _has_room(self, host: Host, vm: Machine) -> bool:
        return host.capacity.has_room_for(capacity_of([*self.vms_on(host), vm]))


def capacity_of(vms: Iterable[Machine]) -> Capacity:
    """Return how much some VMs take together: CPU is in cores, MEMORY in MiB, anything but a number is 0."""
    total = NOTHING
    for vm in vms:
        cores, mebibytes = (number(vm.template.single(name)) or 0.0 for name in ("CPU", "MEMORY"))
        total += Capacity(cpu=round(cores * 100), memory=round(mebibytes * 1024))
    return total
