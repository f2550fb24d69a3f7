"""What OpenNebula says of a VM template: a machine that is described and not started."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.client.opennebula.pool import attributes_of, integer, object_id, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

__all__ = ["MachineTemplate"]


@dataclass(frozen=True, slots=True)
class MachineTemplate:
    """A VM template.

    ``cpu`` is the number of CPUs of the guest, None where the template leaves it to the hypervisor;
    ``cpu_share`` what is reserved on the host; sizes are in MiB. ``disks``, ``nics`` and ``context`` have the
    keys of OpenNebula's own language, as they stand in the template.
    """

    id: int
    name: str
    owner: str | None
    group: str | None
    cpu: int | None
    cpu_share: float | None
    ram_mib: int
    description: str | None
    disks: tuple[Mapping[str, str], ...]
    nics: tuple[Mapping[str, str], ...]
    context: Mapping[str, str]
    has_graphics: bool

    @property
    def swap_mib(self) -> int:
        """The size of the swap disk, 0 where there is none."""
        sizes = (disk.get("SIZE", "") for disk in self.disks if disk.get("TYPE", "").lower() == "swap")
        return next((int(size) for size in sizes if size.isascii() and size.isdecimal()), 0)

    @property
    def root_place(self) -> int | None:
        """The place among the disks of the one that the VM boots from: the first one from an image."""
        from_image = (n for n, disk in enumerate(self.disks) if "IMAGE" in disk or "IMAGE_ID" in disk)
        return next(from_image, None)

    @classmethod
    def from_element(cls, template: Element) -> MachineTemplate:
        """Read a ``<VMTEMPLATE>``.

        :raises DocumentError: if it has no number.
        """
        number = object_id(template)
        return cls(
            id=number,
            name=text(template, "NAME") or str(number),
            owner=text(template, "UNAME"),
            group=text(template, "GNAME"),
            cpu=integer(template, "TEMPLATE/VCPU"),
            cpu_share=_number(text(template, "TEMPLATE/CPU")),
            ram_mib=integer(template, "TEMPLATE/MEMORY") or 0,
            description=text(template, "TEMPLATE/DESCRIPTION"),
            disks=tuple(attributes_of(disk) for disk in template.findall("TEMPLATE/DISK")),
            nics=tuple(attributes_of(nic) for nic in template.findall("TEMPLATE/NIC")),
            context={
                item.tag: item.text or "" for item in template.iterfind("TEMPLATE/CONTEXT/*") if not len(item)
            },
            has_graphics=template.find("TEMPLATE/GRAPHICS") is not None,
        )


def _number(digits: str | None) -> float | None:
    try:
        number = float(digits) if digits else None
    except ValueError:
        return None
    return number if number is None or math.isfinite(number) else None
