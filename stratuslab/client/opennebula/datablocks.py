"""OpenNebula's persistent datablocks: the disks that outlive VMs."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.client.errors import (
    ConfigurationError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    StratusLabError,
)
from stratuslab.client.opennebula.image_pool import checked_image_name
from stratuslab.client.opennebula.one_image import DATABLOCK, Datastore, OneImage
from stratuslab.client.opennebula.pool import list_pool
from stratuslab.client.opennebula.template_text import attribute
from stratuslab.client.opennebula.vm import TOKEN_ATTRIBUTE, checked_vm_id
from stratuslab.client.opennebula.waiting import Pauses, until_seen
from stratuslab.client.transport.settlement import grace_after, settled, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.image_pool import ImagePool
    from stratuslab.client.opennebula.monitor import Monitor
    from stratuslab.client.opennebula.one_image import DiskSnapshot
    from stratuslab.client.opennebula.rpc import Rpc
    from stratuslab.client.opennebula.vm import VirtualMachine, VmDisk

__all__ = ["Datablocks"]

_GIB_IN_MIB = 1024
_MAX_GIB = 2**31 // _GIB_IN_MIB - 1
_BUSY = frozenset({"HOTPLUG", "HOTPLUG_PROLOG_POWEROFF", "HOTPLUG_EPILOG_POWEROFF"})
_OLD_STATE_SECONDS = 2.0
"""Seconds without any effect after which an accepted action counts as failed; 0.1 was measured."""


class Datablocks:
    """The persistent datablocks of one cloud.

    Every method may raise any :class:`~stratuslab.client.errors.StratusLabError`.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc, monitor: Monitor, images: ImagePool) -> None:
        self._cloud = cloud
        self._rpc = rpc
        self._monitor = monitor
        self._images = images

    def list_volumes(self) -> list[tuple[OneImage, str | None]]:
        """Return the user's persistent datablocks, newest first, each with the device it is on a VM.

        Calls ``one.imagepool.info``, and ``one.vmpool.infoextended`` if any is attached.
        """
        volumes = [
            image
            for image in self._images.list_images(mine=True)
            if image.type == DATABLOCK and image.persistent
        ]
        vm_ids = [vm_id for volume in volumes for vm_id in volume.vm_ids]
        vms = self._monitor.list_between(min(vm_ids), max(vm_ids)) if vm_ids else []
        devices = {disk.image_id: disk.target for vm in vms for disk in vm.disks}
        return [(volume, devices.get(volume.id)) for volume in reversed(volumes)]

    def volume(self, number: int) -> tuple[OneImage, str | None]:
        """Return one datablock and its device (``one.image.info``, and ``one.vm.info`` if it is attached)."""
        image = self._images.image(number)
        if image.type != DATABLOCK:
            raise InvalidArgumentError(
                f"image {number} is a {image.type}, not a DATABLOCK", argument="volume"
            )
        disk = None
        if image.vm_ids:
            disk = _disk_of(self._monitor.describe_vm(image.vm_ids[0]), number)
        return image, disk.target if disk else None

    def create_volume(
        self, size_gib: int, name: str, datastore: str | None = None, token: str | None = None
    ) -> OneImage:
        """Make an empty datablock and return it when it is ready (``one.image.allocate``, never sent twice).

        It is marked with a token. When the answer is lost, it is looked for by the token
        (``one.imagepool.info``) for the time-out once more. Then it is waited for within the time-out
        (``one.image.info``). If it fails, it is deleted, and the error says why. If it is not ready in time,
        it is returned as it is. If the user has a datablock with the given ``token`` already, that one is
        returned and none is made. ``datastore`` is a name or an id; if None, it is ``default_datastore`` of
        the section, else the one for images that is on and has most room (``one.datastorepool.info``).
        """
        if isinstance(size_gib, bool) or not isinstance(size_gib, int) or not 1 <= size_gib <= _MAX_GIB:
            raise InvalidArgumentError(f"found {size_gib!r}; give 1 to {_MAX_GIB} GiB", argument="size")
        given, token = token, token or uuid.uuid4().hex
        template = "\n".join(
            (
                attribute("NAME", checked_image_name(name), "name"),
                attribute("TYPE", DATABLOCK, "type"),
                attribute("SIZE", size_gib * _GIB_IN_MIB, "size"),
                attribute("PERSISTENT", "YES", "persistent"),
                attribute(TOKEN_ATTRIBUTE, token, "token"),
            )
        )
        if given:
            made = next(
                (image for image in self._images.list_images(mine=True) if _bears(image, given)), None
            )
            if made is not None:
                return made
        place = self._datastore(datastore)
        image = self._images.made(
            "one.image.allocate",
            (template, place),
            name,
            mark=token,
            is_ours=lambda image: _bears(image, token),
        )
        if image.state == "UNKNOWN":
            return OneImage.accepted(image.id, name, DATABLOCK, size_gib * _GIB_IN_MIB)
        return image

    def _datastore(self, given: str | None) -> int:
        wanted = given or self._cloud.default_datastore
        if wanted and wanted.isascii() and wanted.isdecimal():
            return int(wanted)
        found = list_pool(
            self._rpc,
            "one.datastorepool.info",
            root="DATASTORE_POOL",
            tag="DATASTORE",
            read=Datastore.from_element,
        )
        usable = [store for store in found if store.for_images and store.enabled]
        listing = ", ".join(f"{store.name!r} ({store.id})" for store in usable) or "none"
        if wanted:
            named = [store for store in usable if store.name == wanted]
            if len(named) != 1:
                problem = f"found {wanted!r}; the datastores for images are: {listing}"
                if given:
                    raise InvalidArgumentError(problem, argument="ex_datastore")
                raise ConfigurationError(f"{self._cloud.source}, key default_datastore: {problem}")
            return named[0].id
        if not usable:
            raise ConflictError(
                "no datastore for images is on; ask the administrators of the cloud",
                location=self._cloud.location,
                operation="create_volume",
            )
        return max(usable, key=lambda store: store.free_mib).id

    def delete_volume(self, number: int) -> None:
        """Delete a datablock and return when it is gone (``one.image.delete``)."""
        self._images.delete(number)

    def attach(self, vm_id: int, number: int) -> str | None:
        """Plug a datablock into a VM and return its device when it is seen there (``one.vm.attach``).

        The VM must be running or powered off. The cloud accepts the order and may fail later without saying
        so: the VM is looked at (``one.vm.info``) until the disk is there, within the time-out.

        :raises ConflictError: if the disk is not there in time.
        """
        operation = "one.vm.attach"
        template = f'DISK = [ IMAGE_ID = "{number}" ]'
        self._order(operation, lambda vm: _disk_of(vm, number) is not None, checked_vm_id(vm_id), template)
        disk = self._seen(operation, vm_id, number, there=True)
        return disk.target if disk else None

    def detach(self, number: int, vm_id: int | None = None) -> int:
        """Unplug a datablock and return how many VMs still have it, when it is seen to be out of the VM.

        Calls ``one.image.info`` unless the VM is given, ``one.vm.info`` for the disk's number there,
        ``one.vm.detach``, and ``one.vm.info`` until it is out.

        :raises ConflictError: if no VM has it, or if it is what the VM boots from.
        """
        operation = "one.vm.detach"
        image = self._images.image(number)
        if vm_id is None:
            if not image.vm_ids:
                raise self._conflict(operation, f"volume {number} is attached to no node")
            if len(image.vm_ids) > 1:
                nodes = ", ".join(map(str, image.vm_ids))
                raise self._conflict(
                    operation, f"volume {number} is attached to the nodes {nodes}; give ex_node"
                )
            vm_id = image.vm_ids[0]
        vm = self._monitor.describe_vm(checked_vm_id(vm_id))
        disk = _disk_of(vm, number)
        if disk is None or disk.disk_id is None:
            raise self._conflict(operation, f"volume {number} is not attached to node {vm_id}")
        if image.type != DATABLOCK or (disk.disk_id == 0 and vm.boots_from_disk_0):
            raise self._conflict(
                operation, f"image {number} is what node {vm_id} boots from, which cannot be unplugged"
            )
        self._order(operation, lambda seen: _disk_of(seen, number) is None, vm_id, disk.disk_id)
        self._seen(operation, vm_id, number, there=False)
        return len([other for other in image.vm_ids if other != vm_id])

    def _order(
        self, operation: str, done: Callable[[VirtualMachine], bool], vm_id: int, what: str | int
    ) -> None:
        """Send an order once; when its answer is lost, the VM tells whether it was carried out."""
        try:
            self._rpc.call(operation, vm_id, what, changes=True, repeatable=False)
        except StratusLabError as error:

            def look() -> VirtualMachine | None:
                vm = self._monitor.describe_vm(vm_id)
                return vm if vm.state_label in _BUSY or done(vm) else None

            if settled(error, look, self._cloud.timeout) is None:
                raise unsettled(error) from error

    def _seen(self, operation: str, vm_id: int, number: int, *, there: bool) -> VmDisk | None:
        """Return the disk when the VM has done what was ordered; raise what became of it otherwise."""
        begun = Pauses(min(_OLD_STATE_SECONDS, self._cloud.timeout))
        was_busy = False

        def done(vm: VirtualMachine) -> bool:
            nonlocal was_busy
            disk = _disk_of(vm, number)
            busy = vm.state_label in _BUSY
            was_busy = was_busy or busy
            if busy:
                return False
            if (disk is not None) == there:
                return True
            if was_busy or begun.over:
                verb = "attach" if there else "detach"
                raise self._conflict(
                    operation,
                    f"the cloud accepted the order to {verb} volume {number} and failed without saying why: "
                    f"node {vm_id} is {vm.state_label} {'without' if there else 'with'} it",
                )
            return False

        try:
            vm = until_seen(lambda: self._monitor.describe_vm(vm_id), done, self._cloud.timeout)
        except NotFoundError:
            raise self._conflict(operation, f"node {vm_id} is gone") from None
        disk = _disk_of(vm, number)
        if vm.state_label in _BUSY or (disk is not None) != there:
            raise self._conflict(
                operation,
                f"node {vm_id} is still {vm.state_label} after {self._cloud.timeout:g} s; the cloud accepted "
                "the order and may carry it out later",
            )
        return disk

    def snapshots(self, number: int) -> list[DiskSnapshot]:
        """Return the snapshots of a datablock, oldest first (``one.image.info``)."""
        return sorted(self._images.image(number).snapshots, key=lambda snapshot: snapshot.id)

    def create_snapshot(self, number: int, name: str) -> DiskSnapshot:
        """Make a snapshot of an attached datablock (``one.vm.disksnapshotcreate``, never sent twice).

        Calls ``one.image.info`` and ``one.vm.info`` before, and both until it is there. One that is not ready
        when the time is over is returned as such.

        :raises ConflictError: if it is attached to no VM, or if none is made.
        """
        operation = "one.vm.disksnapshotcreate"
        attribute("NAME", name, "name")
        image = self._images.image(number)
        if not image.vm_ids:
            raise self._conflict(
                operation,
                f"volume {number} is attached to no node; OpenNebula makes snapshots of attached ones",
            )
        vm_id = image.vm_ids[0]
        disk = _disk_of(self._monitor.describe_vm(vm_id), number)
        if disk is None or disk.disk_id is None:
            raise self._conflict(operation, f"volume {number} is not attached to node {vm_id}")
        before = {snapshot.id for snapshot in image.snapshots}
        seconds = self._cloud.timeout
        lost: StratusLabError | None = None
        try:
            self._rpc.call(operation, vm_id, disk.disk_id, name, changes=True, repeatable=False)
        except StratusLabError as error:
            grace = grace_after(error, seconds)
            if grace is None:
                raise
            lost, seconds = error, grace

        def new(seen: OneImage) -> DiskSnapshot | None:
            made = [snapshot for snapshot in seen.snapshots if snapshot.id not in before]
            return next((snapshot for snapshot in made if snapshot.name == name), None)

        def ready(seen: tuple[VirtualMachine, OneImage]) -> bool:
            busy = _takes_snapshot(seen[0])
            if not busy and new(seen[1]) is None and begun.over and lost is None:
                raise self._conflict(
                    operation, f"the cloud accepted the order for a snapshot of volume {number} and made none"
                )
            return not busy and new(seen[1]) is not None

        begun = Pauses(min(_OLD_STATE_SECONDS, self._cloud.timeout))
        # The VM first: a snapshot that failed is gone once the VM is no longer busy with it.
        vm, seen = until_seen(
            lambda: (self._monitor.describe_vm(vm_id), self._images.image(number)), ready, seconds
        )
        snapshot = new(seen)
        if snapshot is None:
            if lost is not None:
                raise lost
            raise self._conflict(
                operation, f"the snapshot of volume {number} is not there after {self._cloud.timeout:g} s"
            )
        return replace(snapshot, is_ready=not _takes_snapshot(vm))

    def delete_snapshot(self, number: int, snapshot_id: int) -> None:
        """Delete a snapshot.

        Calls ``one.vm.disksnapshotdelete``; ``one.image.snapshotdelete`` of a free datablock.

        :raises ConflictError: if others were made from it; and from 6.10 on for the first one of a datablock
            that is attached.
        """
        image = self._images.image(number)
        if all(snapshot.id != snapshot_id for snapshot in image.snapshots):
            raise NotFoundError(
                f"volume {number} has no snapshot {snapshot_id}",
                location=self._cloud.location,
                operation="destroy_volume_snapshot",
            )
        of_what: tuple[int, ...]
        if image.vm_ids:
            operation = "one.vm.disksnapshotdelete"
            vm_id = image.vm_ids[0]
            disk = _disk_of(self._monitor.describe_vm(vm_id), number)
            if disk is None or disk.disk_id is None:
                raise self._conflict(operation, f"volume {number} is not attached to node {vm_id}")
            of_what = (vm_id, disk.disk_id)
        else:
            operation, of_what = "one.image.snapshotdelete", (number,)

        def gone(seen: OneImage) -> bool:
            return all(snapshot.id != snapshot_id for snapshot in seen.snapshots)

        def look() -> OneImage | None:
            seen = self._images.image(number)
            return seen if gone(seen) else None

        try:
            self._rpc.call(operation, *of_what, snapshot_id, changes=True, repeatable=False)
        except StratusLabError as error:
            if settled(error, look, self._cloud.timeout) is None:
                raise unsettled(error) from error
        seen = until_seen(lambda: self._images.image(number), gone, self._cloud.timeout)
        if not gone(seen):
            raise self._conflict(
                operation,
                f"the cloud accepted the order to delete snapshot {snapshot_id} of volume {number}, which "
                "is still there",
            )

    def _conflict(self, operation: str, problem: str) -> ConflictError:
        return ConflictError(problem, location=self._cloud.location, operation=operation)


def _takes_snapshot(vm: VirtualMachine) -> bool:
    return vm.state_label.startswith("DISK_SNAPSHOT")


def _disk_of(vm: VirtualMachine, number: int) -> VmDisk | None:
    return next((disk for disk in vm.disks if disk.image_id == number), None)


def _bears(image: OneImage, token: str) -> bool:
    return image.attributes.get(TOKEN_ATTRIBUTE) == token
