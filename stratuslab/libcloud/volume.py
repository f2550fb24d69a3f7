"""PDisk's disks as Libcloud's volumes, and what attaching and detaching changes in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libcloud.compute.base import StorageVolume
from libcloud.compute.types import StorageVolumeState
from stratuslab.client.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from libcloud.compute.base import NodeDriver, NodeLocation
    from stratuslab.client.pdisk.disk import Disk, Mount

__all__ = ["StratusLabVolume", "node_to_detach_from", "note_attached", "note_detached"]


class StratusLabVolume(StorageVolume):
    """A disk.

    ``size`` is in GiB, ``state`` is ``INUSE`` while a VM has the disk mounted, ``location`` is where
    the disk is. ``extra`` holds:

    =============== ===========================================================================
    ``location``    the id of the location
    ``owner``       the cloud's user
    ``count``       the number of VMs that have the disk mounted
    ``type``        what it holds and how it may be written, and
    ``visibility``  ``private`` or ``public``; both are None in lists, where the cloud leaves
                    them out
    ``identifier``  the image or the token that it was marked with, or None
    ``quarantine``  since when it is in quarantine, or None
    ``device``      the cloud's answer to the last attachment by this program, or None
    ``snapshot_of`` the image's disk of which this is the copy that a running VM boots from;
                    None for a volume of one's own
    =============== ===========================================================================
    """

    id: str
    extra: dict[str, Any]  # Libcloud's may be None

    def __init__(self, disk: Disk, location: NodeLocation, driver: NodeDriver) -> None:
        super().__init__(
            disk.uuid,
            disk.tag,
            disk.size_gib,
            driver,
            StorageVolumeState.INUSE if disk.count else StorageVolumeState.AVAILABLE,
            {
                "location": location.id,
                "owner": disk.owner,
                "count": disk.count,
                "type": disk.type,
                "visibility": disk.visibility,
                "identifier": disk.identifier,
                "quarantine": disk.quarantine,
                "device": None,
                "snapshot_of": disk.snapshot_of,
            },
        )
        self.location = location


def note_attached(volume: StorageVolume, vm_id: int, device: str | None, location: NodeLocation) -> None:
    """Write into a volume that one more node has it; ``extra["node"]`` names the only one."""
    extra = volume.extra = volume.extra or {}
    count = extra.get("count") or 0
    extra["device"] = device
    extra["location"] = location.id
    extra["node"] = None if count else str(vm_id)
    extra["count"] = count + 1
    volume.state = StorageVolumeState.INUSE


def note_detached(volume: StorageVolume, count: int) -> None:
    """Write into a volume that of ``count`` nodes which had it one has it no more."""
    volume.extra = {**(volume.extra or {}), "device": None, "node": None, "count": count - 1}
    volume.state = StorageVolumeState.INUSE if count > 1 else StorageVolumeState.AVAILABLE


def node_to_detach_from(mounts: Sequence[Mount], vm_id: int | None, uuid: str, location: NodeLocation) -> int:
    """Return the id of the one VM from which a volume can be detached.

    :param vm_id: the VM that the caller named; None to find the only one.

    Raises :class:`~stratuslab.client.errors.ConflictError` if there is none, if there are several, or
    if the volume stays until the end of the VM.
    """
    found = [mount for mount in mounts if vm_id in (None, mount.vm_id)]
    problem = None
    if not found:
        problem = "is attached to no node" if vm_id is None else f"is not attached to node {vm_id}"
    elif len(found) > 1:
        problem = (
            f"is attached to the nodes {', '.join(str(mount.vm_id) for mount in found)}; "
            "say which one by ex_node"
        )
    elif found[0].static:
        problem = f"was attached when node {found[0].vm_id} started, which lasts until the end of the node"
    if problem:
        raise ConflictError(f"volume {uuid} {problem}", location=location.id, operation="detach_volume")
    return found[0].vm_id
