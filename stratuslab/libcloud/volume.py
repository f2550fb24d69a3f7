"""PDisk's disks as Libcloud's volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libcloud.compute.base import StorageVolume
from libcloud.compute.types import StorageVolumeState

if TYPE_CHECKING:
    from libcloud.compute.base import NodeDriver
    from stratuslab.client.persistent_disk import Disk

__all__ = ["volume_of"]

_IN_USE = StorageVolumeState.INUSE
_AVAILABLE = StorageVolumeState.AVAILABLE


def volume_of(disk: Disk, location_id: str, driver: NodeDriver) -> StorageVolume:
    """Return a disk as a volume of ``size`` GiB, in use while a VM has it mounted.

    ``extra`` holds ``location`` (the id), ``owner``, ``count`` (VMs that have it mounted),
    ``type`` and ``visibility`` (None in lists, where the cloud leaves them out), ``identifier``,
    ``quarantine``, ``device`` (the cloud's answer to the last attachment by this program, else
    None) and ``snapshot_of``: the image's disk of which this is the copy that a running VM boots
    from, None for a volume of one's own.
    """
    extra: dict[str, Any] = {
        "location": location_id,
        "owner": disk.owner,
        "count": disk.count,
        "type": disk.type,
        "visibility": disk.visibility,
        "identifier": disk.identifier,
        "quarantine": disk.quarantine,
        "device": None,
        "snapshot_of": disk.snapshot_of if disk.identifier else None,
    }
    state = _IN_USE if disk.count else _AVAILABLE
    return StorageVolume(disk.uuid, disk.tag, disk.size_gib, driver, state, extra)
