"""Volumes and their snapshots as Libcloud's, and what attaching and detaching changes in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libcloud.compute.base import StorageVolume, VolumeSnapshot
from libcloud.compute.types import StorageVolumeState, VolumeSnapshotState

if TYPE_CHECKING:
    from libcloud.compute.base import NodeDriver, NodeLocation
    from stratuslab.client.kinds.offers import Snapshot, Volume

__all__ = ["StratusLabVolume", "note_attached", "note_detached", "snapshot_of"]

_STATES = {
    "available": StorageVolumeState.AVAILABLE,
    "inuse": StorageVolumeState.INUSE,
    "creating": StorageVolumeState.CREATING,
    "deleting": StorageVolumeState.DELETING,
    "error": StorageVolumeState.ERROR,
    "unknown": StorageVolumeState.UNKNOWN,
}


class StratusLabVolume(StorageVolume):
    """A disk that outlives nodes.

    ``size`` is in GiB, ``state`` is ``INUSE`` while a VM has the disk, ``location`` is where the disk is.
    ``extra`` holds:

    =============== ===========================================================================
    ``location``    the id of the location
    ``owner``       the cloud's user
    ``count``       the number of VMs that have the disk
    ``device``      the cloud's word for where it is on its VM, or None: PDisk only tells it when
                    the disk is attached
    ``identifier``  the image or the token that it was marked with, or None
    ``snapshot_of`` PDisk's image disk of which this is the copy that a running VM boots from;
                    None for a volume that a user made
    =============== ===========================================================================

    and of PDisk ``type`` (what it holds and how it may be written) and ``visibility`` (``private`` or
    ``public``), both None in lists, where PDisk leaves them out, and ``quarantine`` (since when it is
    there, or None); of OpenNebula ``node`` (the id of the VM that has it, or None), ``state`` (its own
    word), ``size_mib``, ``datastore``, ``format``, ``created`` and ``error``.
    """

    id: str
    extra: dict[str, Any]  # Libcloud's may be None

    def __init__(self, volume: Volume, location: NodeLocation, driver: NodeDriver) -> None:
        # Not super(): the lookup takes two fifths as long as Libcloud's constructor itself.
        StorageVolume.__init__(
            self,
            volume.id,
            volume.name,
            volume.size_gib,
            driver,
            _STATES[volume.state],
            volume.extra,
        )
        self.location = location


def snapshot_of(snapshot: Snapshot, driver: NodeDriver) -> VolumeSnapshot:
    """Return a snapshot as Libcloud's; ``extra`` holds ``location``, ``volume_id`` and ``active``."""
    state = VolumeSnapshotState.AVAILABLE if snapshot.is_ready else VolumeSnapshotState.CREATING
    return VolumeSnapshot(
        snapshot.id,
        driver,
        size=snapshot.size_gib,
        extra=snapshot.extra,
        created=snapshot.taken,
        state=state,  # type: ignore[arg-type]  # Libcloud's hint is wrong
        name=snapshot.name,
    )


def note_attached(volume: StorageVolume, vm_id: int, device: str | None, location: NodeLocation) -> None:
    """Note in a volume that one more node has it; ``extra["node"]`` names the only one."""
    extra = volume.extra = volume.extra or {}
    count = extra.get("count") or 0
    extra["device"] = device
    extra["location"] = location.id
    extra["node"] = None if count else str(vm_id)
    extra["count"] = count + 1
    volume.state = StorageVolumeState.INUSE


def note_detached(volume: StorageVolume, left: int) -> None:
    """Note in a volume that one node no longer has it, and how many still have it."""
    volume.extra = {**(volume.extra or {}), "device": None, "node": None, "count": left}
    volume.state = StorageVolumeState.INUSE if left else StorageVolumeState.AVAILABLE
