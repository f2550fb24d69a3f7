"""Instance types as Libcloud's sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libcloud.compute.base import NodeSize
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.arguments import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from libcloud.compute.base import NodeDriver
    from stratuslab.client.configuration.cloud import InstanceType
    from stratuslab.client.kinds.offers import MachineSize

__all__ = ["StratusLabNodeSize", "known_size", "resources_of", "size_named", "size_of", "size_of_cloud"]


class StratusLabNodeSize(NodeSize):
    """A size with CPUs and swap.

    ``ram`` and ``swap`` are in MiB; ``cpu`` and ``swap`` are also in ``extra``.
    ``disk`` is 0: the image decides. Without ``swap`` the argument ``disk`` is taken for it, which
    is where release 14.06 had it. ``price`` and ``bandwidth`` are None, Libcloud's "unknown", where the
    cloud does not say.
    """

    price: float | None  # type: ignore[assignment]  # Libcloud's own hint leaves None out

    def __init__(
        self,
        size_id: str,
        name: str,
        ram: int,
        disk: int,
        bandwidth: int | None,
        price: float | None,
        driver: NodeDriver,
        cpu: int = 1,
        swap: int | None = None,
    ) -> None:
        self.cpu = cpu
        self.swap = disk if swap is None else swap
        super().__init__(
            id=size_id,
            name=name,
            ram=ram,
            disk=0,
            bandwidth=bandwidth,
            price=price,  # type: ignore[arg-type]  # None is Libcloud's "unknown"
            driver=driver,
            extra={"cpu": cpu, "swap": self.swap},
        )

    @property
    def vcpus(self) -> int:
        """The number of CPUs, by the name that OpenStack's driver uses."""
        return self.cpu

    def __repr__(self) -> str:
        return (
            f"<StratusLabNodeSize: id={self.id}, name={self.name}, "
            f"cpu={self.cpu}, ram={self.ram}, swap={self.swap}>"
        )


def size_of(kind: InstanceType, driver: NodeDriver) -> StratusLabNodeSize:
    """Return an instance type as a size."""
    return StratusLabNodeSize(
        kind.name, kind.name, kind.ram_mib, 0, None, None, driver, cpu=kind.cpu, swap=kind.swap_mib
    )


def size_of_cloud(size: MachineSize, driver: NodeDriver) -> StratusLabNodeSize:
    """Return a size that the cloud itself knows, such as a VM template."""
    found = StratusLabNodeSize(
        size.id, size.name, size.ram_mib, 0, None, None, driver, cpu=size.cpu, swap=size.swap_mib
    )
    found.extra = {**found.extra, **size.extra}
    return found


def known_size(
    size: NodeSize | str | None,
    of_file: Callable[[], Sequence[StratusLabNodeSize]],
    all_sizes: Callable[[], Sequence[StratusLabNodeSize]],
) -> NodeSize:
    """Return a ``NodeSize`` that has RAM unchanged; look up all others, and texts, by id or name.

    Consumers that keep ids make such a ``NodeSize``. ``all_sizes`` may ask the cloud: it is only
    called for what is not in the file.

    :raises InvalidArgumentError: for an unknown size; it lists the sizes there are.
    """
    if isinstance(size, NodeSize):
        if size.ram:
            return size
        # A NodeSize made without an id has the id "None": then its name is meant.
        size = size.name if size.id == "None" else size.id
    sizes = of_file()
    if isinstance(size, str) and all(size not in (known.id, known.name) for known in sizes):
        sizes = all_sizes()
    return size_named(size, sizes)


def size_named(
    wanted: str | None, sizes: Sequence[StratusLabNodeSize], argument: str = "size"
) -> StratusLabNodeSize:
    """Return the size of an id or a name."""
    found = next((size for size in sizes if wanted in (size.id, size.name)), None)
    if found is None:
        raise InvalidArgumentError(
            f"found {wanted!r}; give a NodeSize with ram, or one of list_sizes(): "
            f"{', '.join(size.id for size in sizes)}",
            argument=argument,
        )
    return found


def resources_of(size: NodeSize) -> tuple[int, int, int]:
    """Return CPUs, RAM and swap (MiB) of any driver's size: 1 CPU and no swap unless ``extra`` says more.

    :raises InvalidArgumentError: for a value that is not a number.
    """
    extra: dict[str, Any] = size.extra
    cpu = getattr(size, "cpu", None) or extra.get("cpu") or 1
    swap = getattr(size, "swap", None) or extra.get("swap") or 0
    return (
        whole_number("size.extra['cpu']", cpu, least=1),
        whole_number("size.ram", size.ram, least=1, unit="MiB"),
        whole_number("size.extra['swap']", swap, unit="MiB"),
    )
