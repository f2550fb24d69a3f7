"""What PDisk says of a disk and of its mounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.client.configuration.cloud import Cloud

__all__ = [
    "VISIBILITIES",
    "Disk",
    "Mount",
    "Visibility",
    "disk_ids_in",
    "is_disk_id",
    "source_of_disk",
    "text_or_none",
    "whole_number",
]

Visibility = Literal["private", "public"]
VISIBILITIES: tuple[Visibility, ...] = ("private", "public")

_VISIBILITY_OF: dict[object, Visibility] = {
    text: known for known in VISIBILITIES for text in (known, known.upper())
}
_MAX_DIGITS = 18
_REMEMBERED_NUMBERS = 1024
"""The disks of a long list share their few sizes and counts."""
_SEPARATOR = re.compile(r"[,.'\s]")
_NUMBER = re.compile(r"[0-9]+|[0-9]{1,3}(?:[,.'\s][0-9]{3})+")
_HEXADECIMAL = "[0-9A-Fa-f]"
_DISK_ID = re.compile("-".join(f"{_HEXADECIMAL}{{{length}}}" for length in (8, 4, 4, 4, 12)))


def is_disk_id(text: str) -> bool:
    """Return whether a text has the form of a disk's UUID."""
    return _DISK_ID.fullmatch(text) is not None


def disk_ids_in(text: str) -> list[str]:
    """Return the UUIDs that a text names, in small letters."""
    return _DISK_ID.findall(text.lower())


def source_of_disk(cloud: Cloud, uuid: str) -> str:
    """Return what a VM's template calls a disk: ``pdisk:URL/UUID``, or ``pdisk:HOST:PORT/UUID``.

    The latter is for the ports before 14.06.

    :raises ConfigurationError: if the settings name no PDisk service.
    """
    base = cloud.required_pdisk()
    address = base.url if base.path else base.address
    return f"pdisk:{address}/{uuid.lower()}"


@dataclass(slots=True)
class Disk:
    """A disk.

    ``size_gib`` is in GiB, ``count`` the number of VMs that have it mounted (of an image's origin:
    the number of its copies). ``type`` (what the disk holds and how it may be written, in PDisk's words)
    and ``visibility`` are None in lists, where the service leaves them out. ``identifier`` is the image or
    the token that the disk was marked with, ``quarantine`` says since when it is in quarantine; both are
    None for a disk that has none. A value that is not text counts as missing.
    """

    uuid: str
    tag: str
    size_gib: int
    count: int = 0
    owner: str = ""
    type: str | None = None
    visibility: Visibility | None = None
    identifier: str | None = None
    quarantine: str | None = None

    @property
    def snapshot_of(self) -> str | None:
        """The image disk of which this is the copy that a running VM boots from, else None."""
        if self.identifier and self.identifier.startswith("snapshot:"):
            return self.identifier.removeprefix("snapshot:")
        return None

    @classmethod
    def from_json(cls, described: Mapping[str, object]) -> Disk:
        """Read PDisk's object.

        :raises DocumentError: if there is no UUID, or a size or count that is no number.
        """
        get = described.get
        uuid, tag, owner = get("uuid"), get("tag"), get("owner")
        kind, visibility = get("type"), get("visibility")
        identifier, quarantine = get("identifier"), get("quarantine")
        if not isinstance(uuid, str) or not uuid:
            raise DocumentError("a disk has no text for 'uuid'")
        if not _DISK_ID.fullmatch(uuid):
            raise DocumentError("the id of a disk is no UUID")
        try:
            size_gib, count = whole_number(get("size")), whole_number(get("count", "0"))
        except (TypeError, ValueError):
            raise DocumentError("a disk has no number for 'size' or 'count'") from None
        # Not a call for each field: reading a disk would take half as long again.
        return cls(
            uuid,
            tag if isinstance(tag, str) else "",
            size_gib,
            count,
            owner if isinstance(owner, str) else "",
            kind if kind and isinstance(kind, str) else None,
            _VISIBILITY_OF.get(visibility) if isinstance(visibility, str) else None,
            identifier if identifier and isinstance(identifier, str) else None,
            quarantine if quarantine and isinstance(quarantine, str) else None,
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """A disk on a VM; ``device`` is the cloud's label (``vdz``, …), not the guest's name for it."""

    vm_id: int
    device: str

    @property
    def static(self) -> bool:
        """Whether the VM was started with the disk, which then cannot be unplugged."""
        return self.device == "static"


@lru_cache(_REMEMBERED_NUMBERS)  # which keeps ints and texts apart from all else
def whole_number(text: object) -> int:
    """Return a number, which the service writes as text in its own language: ``"1,024"``.

    :raises ValueError: if it is no number.
    :raises TypeError: if it is a list or an object.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError
    return int(_SEPARATOR.sub("", text))


def text_or_none(value: object) -> str | None:
    """Return a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None
