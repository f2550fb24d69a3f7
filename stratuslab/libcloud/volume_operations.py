"""The operations of the driver on volumes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from stratuslab.client.errors import ConflictError, InvalidArgumentError, NotFoundError
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.libcloud.arguments import disk_id, text, vm_id, whole_number
from stratuslab.libcloud.unsupported import UnsupportedOperations
from stratuslab.libcloud.volume import (
    StratusLabVolume,
    node_to_detach_from,
    note_attached,
    note_detached,
)

if TYPE_CHECKING:
    from libcloud.compute.base import Node, StorageVolume, VolumeSnapshot
    from stratuslab.client.pdisk.disk import Visibility
    from stratuslab.libcloud.locations import GivenLocation, Locations

__all__ = ["VolumeOperations"]


class VolumeOperations(UnsupportedOperations):
    """The part of the driver that lists, makes, attaches and deletes volumes."""

    _locations: Locations

    def list_volumes(  # type: ignore[override]  # a list of what it holds
        self, location: GivenLocation | None = None
    ) -> list[StratusLabVolume]:
        """Return the user's own volumes at a location, newest first (``GET /disks/``).

        :param location: the default location if None.

        The list contains the root disks of the user's running nodes, with the disk they are copies
        of in ``extra["snapshot_of"]``, which is None for all others. ``size`` is in GiB. See
        :class:`~stratuslab.libcloud.volume.StratusLabVolume` for ``extra``.
        """
        where = self._locations.meant(location)
        return [
            StratusLabVolume(disk, where, self)
            for disk in self._locations.site(where).disks.describe_volumes()
        ]

    def create_volume(
        self,
        size: int,
        name: str,
        location: GivenLocation | None = None,
        snapshot: VolumeSnapshot | None = None,
        *,
        ex_visibility: Visibility = "private",
        ex_token: str | None = None,
    ) -> StratusLabVolume:
        """Make an empty volume (``POST /disks/``, never sent twice).

        When the answer is lost, the volume is looked for by the token with which it was marked (its
        ``extra["identifier"]``) for the time-out once more, and returned if found; else
        :class:`~stratuslab.client.errors.UnsettledError` carries the token to look for.

        :param size: 1 to 1024 GiB.
        :param name: the cloud's tag of the volume, at most 255 characters.
        :param location: the default location if None.
        :param snapshot: must be None: PDisk has no snapshots of data volumes.
        :param ex_visibility: ``private``, or ``public`` for all users of the cloud to attach.
        :param ex_token: a token of your own, which no other volume has: 1 to 64 letters, digits, ``.``, ``_``
            or ``-``. If a volume of yours bears it already (``extra["identifier"]``), that volume is returned
            and none is made (``GET /disks/`` first): the call can be repeated after a crash.
        """
        if snapshot is not None:
            raise InvalidArgumentError(
                "PDisk makes no volume from a snapshot; leave it out", argument="snapshot"
            )
        where = self._locations.meant(location)
        size_gib = whole_number("size", size, unit="GiB")
        disk = self._locations.site(where).disks.create_volume(
            size_gib, name, ex_visibility, token=None if ex_token is None else text("ex_token", ex_token)
        )
        return StratusLabVolume(disk, where, self)

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a volume (``DELETE /disks/UUID``).

        Raises :class:`~stratuslab.client.errors.ConflictError` while a node has it.
        """
        self._locations.site(self._locations.of_volume(volume)).disks.delete_volume(disk_id("volume", volume))
        return True

    def attach_volume(
        self,
        node: Node,
        volume: StorageVolume,
        device: str | None = None,
    ) -> bool:
        """Plug a volume into a running node (``one.vm.info``, then ``POST /disks/UUID/mounts/``).

        :param device: means nothing: the cloud chooses, and its choice is in
            ``volume.extra["device"]``. The guest may call the disk otherwise.

        ``volume.extra["node"]`` is then the node's id, unless other nodes had the volume already.

        Raises :class:`~stratuslab.client.errors.ConflictError` unless the node is running.
        """
        location = self._locations.of_node(node)
        self._locations.check_volume(volume, location)
        uuid = disk_id("volume", volume)
        vm = self._locations.site(location).monitor.describe_vm(vm_id(node.id))
        if vm.state is not VmState.RUNNING or not vm.host:
            raise ConflictError(
                f"node {node.id} is {vm.state_label}; a volume can only be attached to a running node",
                location=location.id,
                operation="attach_volume",
            )
        device = self._locations.site(location).disks.hot_attach(uuid, vm.host, vm.id)
        note_attached(volume, vm.id, device, location)
        return True

    def detach_volume(self, volume: StorageVolume, *, ex_node: Node | None = None) -> bool:
        """Unplug a volume (``DELETE /disks/UUID/mounts/UUID_VMID``).

        :param ex_node: the node to unplug it from; needed if several have it. Where neither this
            nor the volume object tells, or what it tells is over, ``GET /disks/UUID/mounts/`` does.

        Raises :class:`~stratuslab.client.errors.ConflictError` if no node has the volume, if several
        have it, or if it was attached when the node started, which lasts until the node's end.
        """
        if ex_node is None:
            location, wanted = self._locations.of_volume(volume), None
        else:
            location, wanted = self._locations.of_node(ex_node, "ex_node"), vm_id(ex_node.id)
            self._locations.check_volume(volume, location)
        disks = self._locations.site(location).disks
        uuid = disk_id("volume", volume)
        extra = volume.extra or {}
        known = extra.get("node")
        if known is not None and wanted in (None, vm_id(known)):
            with contextlib.suppress(NotFoundError):
                disks.hot_detach(uuid, vm_id(known))
                note_detached(volume, extra.get("count") or 1)
                return True
        mounts = disks.mounts(uuid)
        disks.hot_detach(uuid, node_to_detach_from(mounts, wanted, uuid, location))
        note_detached(volume, len(mounts))
        return True

    def ex_get_volume(self, volume_id: str, location: GivenLocation | None = None) -> StratusLabVolume:
        """Return one volume, with ``type`` and ``visibility`` (``GET /disks/UUID``).

        Raises :class:`~stratuslab.client.errors.NotFoundError` and
        :class:`~stratuslab.client.errors.ForbiddenError`.
        """
        where = self._locations.meant(location)
        return StratusLabVolume(self._locations.site(where).disks.describe_volume(volume_id), where, self)
