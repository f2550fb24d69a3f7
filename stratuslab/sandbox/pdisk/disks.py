"""The state of PDisk at one location: its disks, and the virtual machines that have them mounted."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from stratuslab.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.sandbox.clock import Clock

SUPERUSER = "pdisk"
STATIC_DEVICE = "static"

_DEVICES = [f"vd{letter}" for letter in "zyxwvutsrqponmlkjihgfedcba"]


class DiskType(Enum):
    """What a disk holds and what may be done with it."""

    MACHINE_IMAGE_ORIGIN = "MACHINE_IMAGE_ORIGIN"
    MACHINE_IMAGE_LIVE = "MACHINE_IMAGE_LIVE"
    DATA_IMAGE_ORIGIN = "DATA_IMAGE_ORIGIN"
    DATA_IMAGE_LIVE = "DATA_IMAGE_LIVE"
    DATA_IMAGE_RAW_READONLY = "DATA_IMAGE_RAW_READONLY"
    DATA_IMAGE_RAW_READ_WRITE = "DATA_IMAGE_RAW_READ_WRITE"


class Visibility(Enum):
    """Who may look at a disk: its owner, or everybody."""

    PRIVATE = "PRIVATE"
    PUBLIC = "PUBLIC"


class DiskError(Exception):
    """An operation that the state of the disks does not allow."""


class UnknownDiskError(DiskError):
    """There is no disk with that UUID."""


class DiskInUseError(DiskError):
    """The disk is mounted on a virtual machine."""


class AlreadyMountedError(DiskError):
    """The disk is mounted on that virtual machine already."""


class NotMountedError(DiskError):
    """There is no such mount."""


class NoFreeDeviceError(DiskError):
    """All 26 devices of the virtual machine, vda to vdz, are taken."""


@dataclass(frozen=True)
class Disk:
    """One disk.

    `size_gib` is what was asked for, in GiB (an update may set any number). `identifier` is the Marketplace
    identifier of the image on it, `snapshot:UUID` for a copy of the disk UUID, or empty. `quarantine` is the
    date since which it waits for its removal, or empty. `created` is in Unix seconds.
    """

    uuid: str
    owner: str
    created: float
    size_gib: int = -1
    tag: str = ""
    type: DiskType = DiskType.DATA_IMAGE_RAW_READ_WRITE
    visibility: Visibility = Visibility.PRIVATE
    identifier: str = ""
    quarantine: str = ""
    group: str = ""
    seed: bool = False

    def viewable_by(self, user: str) -> bool:
        """Whether the user may look at the disk, attach it and (PDisk's bug) change it."""
        return self.visibility is Visibility.PUBLIC or self.editable_by(user)

    def editable_by(self, user: str) -> bool:
        """Whether the user may delete the disk: its owner and the superuser may."""
        return user in (self.owner, SUPERUSER)


@dataclass(frozen=True)
class Mount:
    """A disk on a virtual machine.

    `device` is `vdz`, `vdy` ... for a disk attached to a running machine, `static` for one that was there at
    its start. `node` is the host of the machine, empty if PDisk was not told. `snapshot` says that the disk
    is a copy made for this machine, which nobody needs when the machine has gone.
    """

    disk: str
    vm_id: str
    device: str
    node: str = ""
    snapshot: bool = False

    @property
    def id(self) -> str:
        """The mount's name in URLs: UUID_VMID."""
        return f"{self.disk}_{self.vm_id}"


@dataclass(frozen=True)
class DiskState:
    """Everything that a PDisk knows: by UUID the disks, the mounts of each by virtual machine, and uploads.

    `uploads` has the contents (gzip) of the disks that were made from an uploaded file.
    """

    disks: Table[str, Disk] = field(default_factory=Table)
    mounts: Table[str, Mapping[str, Mount]] = field(default_factory=Table)
    uploads: Table[str, bytes] = field(default_factory=Table)


class DiskStore:
    """All disks and mounts of one location.

    Every method is atomic; hold `lock` (re-entrant) to make one operation of several, or to look at `state`.
    Disks and mounts are values: what a method returns never changes, `save` puts a new version in its place.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.state = DiskState()
        self._clock = clock

    def now(self) -> float:
        """Return the time by which disks are dated, in Unix seconds."""
        return self._clock.now()

    def new(self, owner: str) -> Disk:
        """Make a disk with a fresh UUID, created now; it is not in the store before it is saved."""
        return Disk(uuid=str(uuid.uuid4()), owner=owner, created=self.now())

    def save(self, disk: Disk) -> None:
        """Put the disk into the store, in place of an older version if there is one."""
        with self.lock:
            self.state.disks[disk.uuid] = disk

    def upload(self, disk: Disk, contents: bytes) -> None:
        """Put a disk into the store together with its contents, gzip."""
        with self.lock:
            self.save(disk)
            self.state.uploads[disk.uuid] = contents

    def uploaded(self, uuid: str) -> bytes | None:
        """Return the contents (gzip) of a disk made from an uploaded file; None for any other disk."""
        with self.lock:
            return self.state.uploads.get(uuid)

    def get(self, uuid: str) -> Disk:
        """Return the disk with that UUID, or UnknownDiskError."""
        with self.lock:
            try:
                return self.state.disks[uuid]
            except KeyError:
                raise UnknownDiskError(uuid) from None

    def disks(self, owner: str | None = None) -> list[Disk]:
        """Return all disks, or those of one owner, newest first."""
        with self.lock:
            return [disk for disk in reversed([*self.state.disks.values()]) if owner in (None, disk.owner)]

    def identified(self, identifier: str) -> list[Disk]:
        """Return the disks with an identifier, newest first."""
        return [disk for disk in self.disks() if disk.identifier == identifier]

    def count(self, disk: Disk) -> int:
        """Count the uses of a disk: its snapshots for the origin of a machine image, else its mounts."""
        if disk.type is DiskType.MACHINE_IMAGE_ORIGIN:
            return len(self.identified(f"snapshot:{disk.uuid}"))
        return len(self.mounts(disk.uuid))

    def delete(self, uuid: str) -> None:
        """Remove a disk; UnknownDiskError if it does not exist, DiskInUseError while it is mounted."""
        with self.lock:
            self.get(uuid)
            if self.mounts(uuid):
                raise DiskInUseError(uuid)
            del self.state.disks[uuid]
            self.state.uploads.pop(uuid, None)

    def snapshot(self, origin: Disk, owner: str) -> Disk:
        """Make a copy-on-write copy of the origin of a machine image, and save it."""
        copy = replace(
            self.new(owner),
            size_gib=origin.size_gib,
            type=DiskType.MACHINE_IMAGE_LIVE,
            identifier=f"snapshot:{origin.uuid}",
        )
        self.save(copy)
        return copy

    def rebase(self, live: Disk, owner: str) -> Disk:
        """Make the origin of a new machine image from a live disk, and save it."""
        origin = replace(
            self.new(owner),
            size_gib=live.size_gib,
            type=DiskType.MACHINE_IMAGE_ORIGIN,
            seed=True,
        )
        self.save(origin)
        return origin

    def mounts(self, uuid: str) -> list[Mount]:
        """Return the mounts of one disk, oldest first."""
        with self.lock:
            return list(self.state.mounts.get(uuid, {}).values())

    def mounts_on(self, vm_id: str) -> list[Mount]:
        """Return the mounts on one virtual machine."""
        with self.lock:
            return [mounts[vm_id] for mounts in self.state.mounts.values() if vm_id in mounts]

    def free_device(self, vm_id: str) -> str:
        """Choose the device for a further disk of a machine, from vdz downwards, or NoFreeDeviceError."""
        taken = {mount.device for mount in self.mounts_on(vm_id)}
        for device in _DEVICES:
            if device not in taken:
                return device
        raise NoFreeDeviceError(vm_id)

    def mount(self, mount: Mount) -> None:
        """Register a mount: UnknownDiskError, or AlreadyMountedError if that machine has the disk."""
        with self.lock:
            self.get(mount.disk)
            mounts = self.state.mounts.get(mount.disk, {})
            if mount.vm_id in mounts:
                raise AlreadyMountedError(mount.id)
            self.state.mounts[mount.disk] = {**mounts, mount.vm_id: mount}

    def mounted(self, uuid: str, vm_id: str) -> Mount:
        """Return the mount of a disk on a virtual machine, or NotMountedError."""
        with self.lock:
            try:
                return self.state.mounts[uuid][vm_id]
            except KeyError:
                raise NotMountedError(uuid, vm_id) from None

    def unmount(self, mount: Mount) -> None:
        """Forget a mount, or NotMountedError."""
        with self.lock:
            self.mounted(mount.disk, mount.vm_id)
            others = {**self.state.mounts[mount.disk]}
            del others[mount.vm_id]
            if others:
                self.state.mounts[mount.disk] = others
            else:
                del self.state.mounts[mount.disk]
