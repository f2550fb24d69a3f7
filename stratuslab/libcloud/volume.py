"""PDisk's disks as Libcloud's volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcloud.compute.base import StorageVolume
from libcloud.compute.types import StorageVolumeState

if TYPE_CHECKING:
    from libcloud.compute.base import NodeLocation
    from stratuslab.client.pdisk.disk import Disk
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["StratusLabVolume"]


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

    def __init__(self, disk: Disk, location: NodeLocation, driver: StratusLabNodeDriver) -> None:
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
