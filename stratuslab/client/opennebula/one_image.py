"""What OpenNebula says of an image, a datastore and a VM template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratuslab.client.opennebula.pool import attributes_of, integer, object_id, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

__all__ = [
    "DATABLOCK",
    "IMAGE_STATES",
    "IMAGE_TYPES",
    "MACHINE_TYPES",
    "Datastore",
    "DiskSnapshot",
    "OneImage",
]

IMAGE_TYPES = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP")
IMAGE_STATES = (
    "INIT",
    "READY",
    "USED",
    "DISABLED",
    "LOCKED",
    "ERROR",
    "CLONE",
    "DELETE",
    "USED_PERS",
    "LOCKED_USED",
    "LOCKED_USED_PERS",
)
DATABLOCK = "DATABLOCK"
MACHINE_TYPES = frozenset({"OS", "CDROM"})
"""The types of image from which a VM boots."""


@dataclass(frozen=True, slots=True)
class DiskSnapshot:
    """A snapshot of a disk. ``size_mib`` is the disk's; ``taken`` is in seconds since 1970.

    ``is_ready`` is False for one that is known to be still made.
    """

    id: int
    name: str | None
    size_mib: int | None
    taken: int | None
    active: bool
    has_children: bool
    is_ready: bool = True

    @classmethod
    def from_element(cls, snapshot: Element) -> DiskSnapshot:
        """Read a ``<SNAPSHOT>``.

        :raises DocumentError: if it has no number.
        """
        number = object_id(snapshot)
        return cls(
            number,
            text(snapshot, "NAME"),
            integer(snapshot, "SIZE"),
            integer(snapshot, "DATE"),
            (text(snapshot, "ACTIVE") or "").upper() == "YES",
            text(snapshot, "CHILDREN") is not None,
        )


@dataclass(frozen=True, slots=True)
class OneImage:
    """An image of the pool.

    ``type`` and ``state`` are OpenNebula's words; ``size_mib`` is in MiB, ``registered`` in seconds since
    1970. ``vm_ids`` are the VMs that use it. ``attributes`` are the plain ones of its template.
    ``error`` says why it is not usable, where the cloud says so.
    """

    id: int
    name: str
    owner: str | None
    group: str | None
    type: str
    state: str
    persistent: bool
    size_mib: int
    registered: int | None
    datastore_id: int | None
    datastore: str | None
    format: str | None
    vm_ids: tuple[int, ...]
    snapshots: tuple[DiskSnapshot, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether a VM can be started from it now."""
        return self.state in ("READY", "USED")

    @property
    def error(self) -> str | None:
        """Why the image failed."""
        return self.attributes.get("ERROR") or None

    @classmethod
    def accepted(cls, number: int, name: str, kind: str = "OS", size_mib: int = 0) -> OneImage:
        """Return what is known of an image that the cloud has accepted and not described yet."""
        persistent = kind == DATABLOCK
        return cls(
            number, name, None, None, kind, "UNKNOWN", persistent, size_mib, None, None, None, None, (), ()
        )

    @classmethod
    def from_element(cls, image: Element) -> OneImage:
        """Read an ``<IMAGE>``.

        :raises DocumentError: if it has no number.
        """
        number = object_id(image)
        return cls(
            id=number,
            name=text(image, "NAME") or str(number),
            owner=text(image, "UNAME"),
            group=text(image, "GNAME"),
            type=_word(IMAGE_TYPES, integer(image, "TYPE"), "TYPE"),
            state=_word(IMAGE_STATES, integer(image, "STATE"), "STATE"),
            persistent=integer(image, "PERSISTENT") == 1,
            size_mib=integer(image, "SIZE") or 0,
            registered=integer(image, "REGTIME"),
            datastore_id=integer(image, "DATASTORE_ID"),
            datastore=text(image, "DATASTORE"),
            format=text(image, "FORMAT") or text(image, "FSTYPE"),
            vm_ids=tuple(
                vm_id for item in image.findall("VMS/ID") if (vm_id := integer(item, ".")) is not None
            ),
            snapshots=tuple(map(DiskSnapshot.from_element, image.findall("SNAPSHOTS/SNAPSHOT"))),
            attributes=attributes_of(image.find("TEMPLATE")),
        )


@dataclass(frozen=True, slots=True)
class Datastore:
    """A place for images; sizes are in MiB."""

    id: int
    name: str
    for_images: bool
    enabled: bool
    free_mib: int

    @classmethod
    def from_element(cls, datastore: Element) -> Datastore:
        """Read a ``<DATASTORE>``.

        :raises DocumentError: if it has no number.
        """
        number = object_id(datastore)
        free = integer(datastore, "FREE_MB") or 0
        # The free space that the cloud tells does not respect the limit.
        limit, used = integer(datastore, "TEMPLATE/LIMIT_MB"), integer(datastore, "USED_MB") or 0
        return cls(
            id=number,
            name=text(datastore, "NAME") or str(number),
            for_images=integer(datastore, "TYPE") == 0,
            enabled=(integer(datastore, "STATE") or 0) == 0,
            free_mib=free if limit is None else max(0, min(free, limit - used)),
        )


def _word(words: tuple[str, ...], number: int | None, what: str) -> str:
    if number is None:
        return "UNKNOWN"
    return words[number] if 0 <= number < len(words) else f"{what} {number}"
