"""The operations of the driver on volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcloud.compute.base import NodeDriver, StorageVolume, VolumeSnapshot
from stratuslab.client.errors import ArgumentNotOfferedError, InvalidArgumentError
from stratuslab.libcloud.arguments import named_as_written, text, vm_id, whole_number
from stratuslab.libcloud.volume import StratusLabVolume, note_attached, note_detached, snapshot_of

if TYPE_CHECKING:
    from libcloud.compute.base import Node, NodeLocation
    from stratuslab.client.kinds.offers import Volumes
    from stratuslab.client.pdisk.disk import Visibility
    from stratuslab.libcloud.locations import GivenLocation, Locations

__all__ = ["VolumeOperations"]

_ARGUMENTS_OF_CREATE = {
    "size_gib": "size",
    "tag": "name",
    "visibility": "ex_visibility",
    "token": "ex_token",
}


class VolumeOperations(NodeDriver):
    """The part of the driver that lists, makes, attaches and deletes volumes."""

    _locations: Locations

    def list_volumes(  # type: ignore[override]  # a list of what it holds
        self, location: GivenLocation | None = None
    ) -> list[StratusLabVolume]:
        """Return the user's own volumes at a location, newest first.

        Calls ``GET /disks/`` of PDisk; at an OpenNebula cloud ``one.imagepool.info``, and
        ``one.vmpool.infoextended`` if any is attached.

        PDisk's list contains the root disks of the user's running nodes, with the disk they are copies
        of in ``extra["snapshot_of"]``, which is None for all others. ``size`` is in GiB. See
        :class:`~stratuslab.libcloud.volume.StratusLabVolume` for ``extra``.

        :param location: the default location if None.
        """
        where = self._locations.meant(location)
        volumes = self._locations.site(where).volumes.list_volumes()
        return [StratusLabVolume(volume, where, self) for volume in volumes]

    def create_volume(
        self,
        size: int,
        name: str,
        location: GivenLocation | None = None,
        snapshot: VolumeSnapshot | None = None,
        *,
        ex_visibility: Visibility = "private",
        ex_datastore: str | int | None = None,
        ex_token: str | None = None,
    ) -> StratusLabVolume:
        """Make an empty volume (``POST /disks/`` or ``one.image.allocate``, never sent twice).

        Then ``GET /disks/UUID`` or ``one.image.info`` tells whether the volume is the one that was asked for.
        When the answer is lost, the volume is looked for by its token (``extra["identifier"]``) for as long
        as ``timeout`` once more, and returned if it is found. A datablock is returned when it is ready, or
        with its state when the time-out is over; if the cloud could not make it, what is left of it is
        deleted, and the error says why.

        :param size: 1 to 1024 GiB with PDisk.
        :param name: at most 255 characters; at an OpenNebula cloud 128, and no two volumes of a user may have
            the same name.
        :param location: the default location if None.
        :param snapshot: must be None: neither kind of cloud makes a volume from a snapshot.
        :param ex_visibility: ``private``, or ``public`` for all users of a StratusLab cloud to attach.
        :param ex_datastore: name or id of the datastore of an OpenNebula cloud; otherwise
            ``default_datastore`` of the section, else the one for images that is on and has most room.
        :param ex_token: a token of your own, which no other volume has: 1 to 64 letters, digits, ``.``, ``_``
            or ``-``. If a volume of yours has it already (``extra["identifier"]``), that volume is returned
            and none is made (the list is asked for first): the call can be repeated after a crash.
        :raises InvalidArgumentError: for a wrong argument, before anything is sent.
        :raises UnsettledError: if the answer was lost and the volume was not found in time. It may still
            appear in :meth:`list_volumes`, with the ``token`` of the error as ``extra["identifier"]``.
        :raises DuplicateError: if several volumes have the token; it names them.
        """
        where = self._locations.meant(location)
        if snapshot is not None:
            raise ArgumentNotOfferedError(
                "neither PDisk nor OpenNebula makes a volume from a snapshot; leave it out",
                argument="snapshot",
            )
        datastore = None if ex_datastore is None else text("ex_datastore", str(ex_datastore))
        with named_as_written(_ARGUMENTS_OF_CREATE):
            volume = self._locations.site(where).volumes.create(
                whole_number("size", size, unit="GiB"),
                name,
                ex_visibility,
                datastore,
                None if ex_token is None else text("ex_token", ex_token),
            )
        return StratusLabVolume(volume, where, self)

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a volume (``DELETE /disks/UUID``, or ``one.image.delete`` and ``one.image.info``).

        :raises ConflictError: while a node has it.
        """
        _, volumes, volume_id = self._of_volume(volume)
        volumes.delete(volume_id)
        return True

    def attach_volume(self, node: Node, volume: StorageVolume, device: str | None = None) -> bool:
        """Plug a volume into a running node.

        Calls ``one.vm.info``, then ``POST /disks/UUID/mounts/``. At an OpenNebula cloud, where the node may
        be powered off too, ``one.vm.attach``, and ``one.vm.info`` until the disk is seen there, within the
        time-out.

        ``volume.extra["node"]`` is then the node's id, unless other nodes had the volume already.

        :param device: ignored: the cloud chooses, and its choice is in ``volume.extra["device"]``. The guest
            may have another name for the disk.
        :raises ConflictError: unless the node is running; and if the cloud accepted the order and did not
            carry it out.
        """
        location = self._locations.of_node(node)
        self._locations.check_volume(volume, location)
        volumes = self._locations.site(location).volumes
        volume_id = volumes.checked_id(volume.id, "volume")
        number = vm_id(node.id)
        note_attached(volume, number, volumes.attach(volume_id, number, device), location)
        return True

    def detach_volume(self, volume: StorageVolume, *, ex_node: Node | None = None) -> bool:
        """Unplug a volume.

        Calls ``DELETE /disks/UUID/mounts/UUID_VMID``; at an OpenNebula cloud ``one.image.info`` and
        ``one.vm.info``, ``one.vm.detach``, and ``one.vm.info`` until the disk is seen to be out, within the
        time-out.

        :param ex_node: the node to unplug it from; needed if several have it. Where neither this
            nor the volume object tells, or what it tells is over, ``GET /disks/UUID/mounts/`` does.
        :raises ConflictError: if no node has the volume, if several have it, if a node boots from it, or if
            PDisk attached it when the node started, which lasts until the node's end.
        """
        wanted = None
        if ex_node is None:
            location, volumes, volume_id = self._of_volume(volume)
        else:
            location, wanted = self._locations.of_node(ex_node, "ex_node"), vm_id(ex_node.id)
            self._locations.check_volume(volume, location)
            volumes = self._locations.site(location).volumes
            volume_id = volumes.checked_id(volume.id, "volume")
        extra = volume.extra or {}
        node = extra.get("node")
        known = None if node is None else (vm_id(node), extra.get("count") or 1)
        note_detached(volume, volumes.detach(volume_id, wanted, known))
        return True

    def list_volume_snapshots(self, volume: StorageVolume) -> list[VolumeSnapshot]:
        """Return the snapshots of a datablock, oldest first (``one.image.info``).

        :raises NotOfferedError: at a StratusLab cloud: PDisk makes no snapshots.
        """
        volumes, volume_id = self._with_snapshots("list_volume_snapshots", volume)
        return [snapshot_of(snapshot, self) for snapshot in volumes.list_snapshots(volume_id)]

    def create_volume_snapshot(self, volume: StorageVolume, name: str | None = None) -> VolumeSnapshot:
        """Make a snapshot of an attached datablock (``one.vm.disksnapshotcreate``, never sent twice).

        Returns it when it is seen to be there. No volume can be made from it.

        :raises ConflictError: if no node has the datablock.
        :raises NotOfferedError: at a StratusLab cloud.
        """
        volumes, volume_id = self._with_snapshots("create_volume_snapshot", volume)
        chosen = None if name is None else text("name", name)
        return snapshot_of(volumes.create_snapshot(volume_id, chosen), self)

    def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> bool:
        """Delete a snapshot.

        Calls ``one.vm.disksnapshotdelete``, or ``one.image.snapshotdelete`` of a free datablock.

        :raises ConflictError: if other snapshots were made from this one; and from OpenNebula 6.10 on for the
            first one while a node has the datablock.
        :raises NotOfferedError: at a StratusLab cloud.
        """
        extra = getattr(snapshot, "extra", None) or {}
        volumes = self._locations.site(self._locations.meant(extra.get("location"), "snapshot")).volumes
        volumes.check_snapshots("destroy_volume_snapshot")
        if not isinstance(snapshot, VolumeSnapshot):
            raise InvalidArgumentError(
                f"found {snapshot!r}; give one of list_volume_snapshots()", argument="snapshot"
            )
        self._locations.of_item(snapshot, "snapshot")
        volume_id = volumes.checked_id(extra.get("volume_id"), "snapshot.extra['volume_id']")
        volumes.delete_snapshot(volume_id, snapshot.id)
        return True

    def ex_get_volume(self, volume_id: str, location: GivenLocation | None = None) -> StratusLabVolume:
        """Return one volume (``GET /disks/UUID``, with ``type`` and ``visibility``; or ``one.image.info``).

        :raises NotFoundError: if there is no such volume.
        :raises ForbiddenError: if it is somebody else's private volume.
        """
        where = self._locations.meant(location)
        return StratusLabVolume(self._locations.site(where).volumes.volume(volume_id), where, self)

    def _with_snapshots(self, operation: str, volume: StorageVolume) -> tuple[Volumes, str]:
        """Return where a volume is; a cloud without snapshots says so whatever was given."""
        if not isinstance(volume, StorageVolume):
            self._locations.site(self._locations.default).volumes.check_snapshots(operation)
        _, volumes, volume_id = self._of_volume(volume)
        volumes.check_snapshots(operation)
        return volumes, volume_id

    def _of_volume(self, volume: StorageVolume) -> tuple[NodeLocation, Volumes, str]:
        location = self._locations.of_volume(volume)
        volumes = self._locations.site(location).volumes
        return location, volumes, volumes.checked_id(volume.id, "volume")
