"""The hosts at one location."""

from __future__ import annotations

from dataclasses import dataclass

from stratuslab.sandbox import defaults


@dataclass(frozen=True)
class Capacity:
    """How much room there is on a host, or how much of it a VM takes.

    `cpu` in percent of a core, `memory` in KiB.
    """

    cpu: int
    memory: int

    def has_room_for(self, needed: Capacity) -> bool:
        """Tell whether that much fits."""
        return needed.cpu <= self.cpu and needed.memory <= self.memory

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(self.cpu + other.cpu, self.memory + other.memory)


NOTHING = Capacity(0, 0)
_USUAL = (16, 64 * 1024)


@dataclass(frozen=True)
class Host:
    """A machine that runs VMs; if it is `boundless`, any number of them, whatever its capacity.

    The drivers are OpenNebula's names for what watches the host, runs its VMs, connects and copies them.
    """

    id: int
    name: str
    capacity: Capacity
    boundless: bool
    im_mad: str = "im_kvm"
    vm_mad: str = "vmm_kvm"
    vn_mad: str = "dummy"
    tm_mad: str = "tm_stratuslab"


def added_host(host_id: int, name: str, im_mad: str, vm_mad: str, vn_mad: str, tm_mad: str) -> Host:
    """Make a host that has the usual capacity, but room for any number of VMs."""
    return Host(host_id, name, _capacity(*_USUAL), True, im_mad, vm_mad, vn_mad, tm_mad)


def make_hosts(
    location: str, count: int = defaults.HOSTS, capacity: tuple[int, int] | None = None
) -> list[Host]:
    """Make the hosts of a location, `node-1.LOCATION.example.org` and so on.

    With a `capacity`, in cores and MiB, only VMs that there is room for fit; without, any number fits.
    """
    room = _capacity(*(capacity or _USUAL))
    return [
        Host(number, f"node-{number + 1}.{location}.example.org", room, boundless=capacity is None)
        for number in range(count)
    ]


def _capacity(cores: int, memory_mib: int) -> Capacity:
    return Capacity(cpu=cores * 100, memory=memory_mib * 1024)
