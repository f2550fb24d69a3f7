"""PDisk's disks as Libcloud's volumes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import StorageVolume
from libcloud.compute.types import StorageVolumeState
from stratuslab.client.pdisk.persistent_disk import Disk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from libcloud.compute.base import NodeLocation
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["StratusLabVolume"]

_IN_USE = StorageVolumeState.INUSE
_AVAILABLE = StorageVolumeState.AVAILABLE


class StratusLabVolume(StorageVolume):
    """A disk.

    ``size`` is in GiB, ``state`` is ``INUSE`` while a VM has the disk mounted, ``location`` is where
    the disk is. ``extra`` is made when it is first read, and holds:

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

    # Libcloud's constructor is not called: it would set extra, and slow down long lists.
    def __init__(
        self,
        location: NodeLocation,
        driver: StratusLabNodeDriver,
        uuid: str,
        tag: str,
        size_gib: int,
        count: int,
        described: Mapping[str, object],
    ) -> None:
        self.id = uuid
        self.name = tag
        self.size = size_gib
        self.state = _IN_USE if count else _AVAILABLE
        self.driver = driver
        self.location = location
        self._uuid = None
        self._described = described

    @classmethod
    def of(cls, disk: Disk, location: NodeLocation, driver: StratusLabNodeDriver) -> StratusLabVolume:
        """Return a disk as a volume."""
        return cls(location, driver, disk.uuid, disk.tag, disk.size_gib, disk.count, disk.described)

    @cached_property
    def extra(self) -> dict[str, Any]:  # type: ignore[override]  # can be set: it is cached
        """What Libcloud has no attribute for."""
        disk = Disk.from_json(self._described)
        return {
            "location": self.location.id,
            "owner": disk.owner,
            "count": disk.count,
            "type": disk.type,
            "visibility": disk.visibility,
            "identifier": disk.identifier,
            "quarantine": disk.quarantine,
            "device": None,
            "snapshot_of": disk.snapshot_of,
        }
