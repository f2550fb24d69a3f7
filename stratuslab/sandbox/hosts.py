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
    """A machine which runs VMs: as many as it is asked for if it is `boundless`, whatever its capacity."""

    id: int
    name: str
    capacity: Capacity
    boundless: bool


def make_hosts(
    location: str, count: int = defaults.HOSTS, capacity: tuple[int, int] | None = None
) -> list[Host]:
    """Make the hosts of a location, `node-1.LOCATION.example.org` and so on.

    With a `capacity`, in cores and MiB, only those VMs fit for which there is room; without, any number fits.
    """
    cores, memory_mib = capacity or _USUAL
    room = Capacity(cpu=cores * 100, memory=memory_mib * 1024)
    return [
        Host(number, f"node-{number + 1}.{location}.example.org", room, boundless=capacity is None)
        for number in range(count)
    ]
