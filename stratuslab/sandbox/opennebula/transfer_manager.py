"""StratusLab's transfer manager for OpenNebula: gives a virtual machine its disks, and takes them back.

It does so through PDisk, as PDisk's superuser, with images of the Marketplace.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from stratuslab.sandbox.pdisk.disks import STATIC_DEVICE, SUPERUSER, Disk, DiskType, Mount, UnknownDiskError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stratuslab.sandbox.marketplace.catalogue import Catalogue
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry
    from stratuslab.sandbox.pdisk.disks import DiskStore

QUARANTINED_DISKS_KEPT = 1000
"""How many disks stay in quarantine: the one that came first is removed first."""

_EXTRA_DISK_TYPES = (DiskType.DATA_IMAGE_RAW_READONLY, DiskType.DATA_IMAGE_RAW_READ_WRITE)
_GB = 10**9
_UNKNOWN_IMAGE_SIZE_GIB = 1
_SAVED_VALIDITY = 2 * 86_400


class TransferError(Exception):
    """A disk that cannot be provided.

    Its text is what OpenNebula puts after "Error excuting image transfer script: ".
    """


@dataclass(frozen=True)
class _Image:
    identifier: str
    size_gib: int = _UNKNOWN_IMAGE_SIZE_GIB


class TransferManager:
    """Provides the disks of the virtual machines of one location."""

    def __init__(self, disks: DiskStore, catalogue: Catalogue) -> None:
        self._disks = disks
        self._catalogue = catalogue

    def clone(self, vm_id: int, owner: str, sources: Sequence[str]) -> None:
        """Provide the disks of a machine that starts; on a TransferError it has no disk.

        `owner` is the plain name of the user, `sources` are the values of DISK/SOURCE in the order of the
        template, the root disk first. A Marketplace URL (or `HOST:IDENTIFIER`) becomes a new copy-on-write
        snapshot of the image that belongs to the owner, a URL of anything else one of an image with unknown
        contents; `pdisk:.../UUID` is the disk itself. A root disk must be a live machine image that nobody
        uses, a further disk a raw data disk.
        """
        with self._disks.lock:
            plan = [self._planned(source, owner, is_root=not index) for index, source in enumerate(sources)]
            self._refuse_second_mounts(vm_id, [planned for planned in plan if isinstance(planned, Disk)])
            for planned in plan:
                if isinstance(planned, Disk):
                    disk = planned
                else:
                    disk = self._disks.snapshot(self._origin(planned), owner)
                self._disks.mount(Mount(disk.uuid, str(vm_id), STATIC_DEVICE, snapshot=disk is not planned))

    def save(self, vm_id: int, wanted: Mapping[str, str]) -> None:
        """Make a new image of the root disk of a machine that was shut down; endorse it for two days.

        `wanted` is the machine's CREATE_IMAGE, which names the creator. Nothing happens if the root
        disk is no copy of an image of the Marketplace. Nobody gets a mail, and there is one Marketplace only.
        """
        with self._disks.lock:
            copies = [mount for mount in self._disks.mounts_on(str(vm_id)) if mount.snapshot]
            if not copies:
                return
            live = self._disks.get(copies[0].disk)
            base = self._catalogue.find(self._identifier_of_origin(live))
            if base is None:
                return
            origin = self._disks.rebase(live, SUPERUSER)
            entry = self._saved_entry(base, origin, wanted)
            self._disks.save(replace(origin, identifier=entry.identifier))
        self._catalogue.add(entry)

    def _identifier_of_origin(self, live: Disk) -> str:
        try:
            return self._disks.get(live.identifier.removeprefix("snapshot:")).identifier
        except UnknownDiskError:
            return ""

    def _saved_entry(self, base: ImageEntry, origin: Disk, wanted: Mapping[str, str]) -> ImageEntry:
        def said(name: str, otherwise: str | None) -> str | None:
            text = wanted.get(name, "").strip('"')
            return text or otherwise

        now = self._catalogue.now()
        return replace(
            base,
            sha1=hashlib.sha1(origin.uuid.encode(), usedforsecurity=False).hexdigest(),
            md5=None,
            sha256=None,
            sha512=None,
            size_bytes=origin.size_gib * _GB,
            endorsed=now,
            created=now,
            valid=now + _SAVED_VALIDITY,
            email=said("CREATOR_EMAIL", None) or base.email,
            creator=said("CREATOR_NAME", base.creator),
            title=said("NEWIMAGE_TITLE", base.title),
            description=said("NEWIMAGE_COMMENT", None) or base.description,
            version=said("NEWIMAGE_VERSION", base.version),
            compression="",
            format="raw",
            alternatives=(),
            locations=(f"pdisk:localhost:8445/{origin.uuid}",),
            deprecated=None,
            related_images=(),
            document="",
        )

    def delete(self, vm_id: int) -> None:
        """Take back the disks of a machine that has gone: unmount them, put its snapshots into quarantine.

        A snapshot in quarantine belongs to PDisk's superuser, who removes the oldest ones. Nothing happens if
        the machine has no disks.
        """
        with self._disks.lock:
            for mount in self._disks.mounts_on(str(vm_id)):
                self._disks.unmount(mount)
                if mount.snapshot:
                    self._quarantine(self._disks.get(mount.disk))

    def _planned(self, source: str, owner: str, *, is_root: bool) -> Disk | _Image:
        scheme, _, rest = source.partition(":")
        if scheme == "pdisk":
            return self._disk(rest.rpartition("/")[2], owner, is_root=is_root)
        if scheme in ("http", "https"):
            _, metadata, path = source.partition("/metadata/")
            return self._image(source, path.partition("/")[0]) if metadata else _Image(source)
        if not rest:
            raise TransferError("Object should have a length of 2, got 1")
        return self._image(source, rest)

    def _image(self, source: str, identifier: str) -> _Image:
        entry = self._catalogue.find(identifier)
        if entry is None:
            raise TransferError(f"Failed to download: {source}, with detail: HTTP Error 404: Not Found")
        return _Image(identifier, math.ceil(entry.size_bytes / _GB))

    def _disk(self, uuid: str, owner: str, *, is_root: bool) -> Disk:
        try:
            disk = self._disks.get(uuid)
        except UnknownDiskError:
            raise TransferError(f"404: Not Found. Error: disk ({uuid}) does not exist") from None
        if not disk.viewable_by(owner):
            reason = f"insufficient access rights to view disk ({uuid})"
            raise TransferError(f"403: Forbidden. Error: {reason}")
        if not is_root and disk.type not in _EXTRA_DISK_TYPES:
            types = ", ".join(disk_type.value for disk_type in _EXTRA_DISK_TYPES)
            raise TransferError(f"Only {types} type disks can be attached as extra disks")
        if is_root and disk.type is not DiskType.MACHINE_IMAGE_LIVE:
            raise TransferError("Only a live persistent disk can be booted from.")
        if is_root and self._disks.count(disk):
            raise TransferError("User count must be zero on the live disk to boot from.")
        return disk

    def _refuse_second_mounts(self, vm_id: int, disks: Sequence[Disk]) -> None:
        mounted = {mount.disk for mount in self._disks.mounts_on(str(vm_id))}
        for disk in disks:
            if disk.uuid in mounted:
                raise TransferError(
                    f"403: Forbidden. Error: Mount already exists for: {vm_id} and {disk.uuid}"
                )
            mounted.add(disk.uuid)

    def _origin(self, image: _Image) -> Disk:
        """Return the disk with the image itself, made now if no machine was started from it before."""
        for disk in self._disks.identified(image.identifier):
            if disk.type is DiskType.MACHINE_IMAGE_ORIGIN:
                return disk
        origin = replace(
            self._disks.new(SUPERUSER),
            size_gib=image.size_gib,
            type=DiskType.MACHINE_IMAGE_ORIGIN,
            identifier=image.identifier,
        )
        self._disks.save(origin)
        return origin

    def _quarantine(self, snapshot: Disk) -> None:
        since = datetime.fromtimestamp(self._disks.now(), tz=timezone.utc)
        date = since.strftime("%Y-%m-%d %H:%M:%S.%f")
        self._disks.save(replace(snapshot, owner=SUPERUSER, quarantine=date))
        quarantined = [disk for disk in self._disks.disks(SUPERUSER) if disk.quarantine]
        unused = [disk for disk in reversed(quarantined) if not self._disks.count(disk)]
        unused.sort(key=lambda disk: disk.quarantine)
        for disk in unused[:-QUARANTINED_DISKS_KEPT]:
            self._disks.delete(disk.uuid)
