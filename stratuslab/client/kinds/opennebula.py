"""OpenNebula from 5.12 on: images, datablocks, networks, keys and VM templates are its own."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NoReturn

from stratuslab.client.errors import (
    ArgumentNotOfferedError,
    ConflictError,
    InvalidArgumentError,
    NotOfferedError,
)
from stratuslab.client.kinds.offers import (
    Image,
    MachineSize,
    Network,
    PublicKey,
    Snapshot,
    Volume,
)
from stratuslab.client.kinds.pool_ids import TEMPLATE, TEMPLATE_PREFIX, is_number, number_of_image
from stratuslab.client.opennebula.image_pool import checked_image_name
from stratuslab.client.opennebula.one_image import DATABLOCK, MACHINE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.datablocks import Datablocks
    from stratuslab.client.opennebula.image_pool import ImagePool
    from stratuslab.client.opennebula.key_pairs import KeyPairs
    from stratuslab.client.opennebula.machine_template import MachineTemplate
    from stratuslab.client.opennebula.monitor import Monitor
    from stratuslab.client.opennebula.one_image import DiskSnapshot, OneImage
    from stratuslab.client.opennebula.virtual_networks import VirtualNetworks

__all__ = ["NamedKeys", "PoolImages", "PoolNetworks", "PoolVolumes"]

_GIB_IN_MIB = 1024
_MACHINE, _DISK, _ALL = "machine", "disk", "all"
_VOLUME_STATES = {
    "READY": "available",
    "USED": "inuse",
    "USED_PERS": "inuse",
    "LOCKED_USED": "inuse",
    "LOCKED_USED_PERS": "inuse",
    "INIT": "creating",
    "LOCKED": "creating",
    "CLONE": "creating",
    "DELETE": "deleting",
    "ERROR": "error",
}


class PoolImages:
    """The image pool and the VM templates."""

    def __init__(self, cloud: Cloud, pool: ImagePool, monitor: Monitor) -> None:
        self._cloud = cloud
        self._pool = pool
        self._monitor = monitor

    def list_images(self, kind: str, status: str, search: str | None) -> list[Image]:
        """Return images (``one.imagepool.info``) and VM templates (``one.templatepool.info``).

        ``kind`` is ``machine`` (OS images), ``disk`` (datablocks), ``template`` or ``all``; ``status`` is
        ``valid`` (what can be used now) or ``all``.
        """
        if status not in ("valid", "all"):
            raise ArgumentNotOfferedError(
                f"found {status!r}; OpenNebula's images are not {status}; use valid or all",
                argument="ex_status",
            )
        found: list[Image] = []
        if kind != TEMPLATE:
            found += [
                self._image(image)
                for image in self._pool.list_images()
                if _is_of_kind(image, kind) and (status == "all" or image.usable)
            ]
        if kind in (TEMPLATE, _ALL):
            found += [self._template(template) for template in self._pool.list_templates()]
        return [image for image in found if search is None or _mentions(image, search)]

    def image(self, image_id: str) -> Image:
        """Return an image (``one.image.info``) or a VM template (``one.template.info``)."""
        kind, number = number_of_image(image_id, "image_id", self._cloud)
        if kind == TEMPLATE:
            return self._template(self._pool.template(number))
        return self._image(self._pool.image(number))

    def metadata(self, image_id: str) -> NoReturn:
        """Refuse: no Marketplace describes the images of this cloud."""
        del image_id
        raise NotOfferedError(
            "no Marketplace describes the images of an OpenNebula cloud; get_image says what the cloud knows",
            location=self._cloud.location,
            operation="ex_get_image_metadata",
        )

    def list_sizes(self) -> list[MachineSize]:
        """Return the VM templates as sizes (``one.templatepool.info``)."""
        return [
            MachineSize(
                f"{TEMPLATE_PREFIX}{template.id}",
                template.name,
                template.cpu or 1,
                template.ram_mib,
                template.swap_mib,
                {
                    "location": self._cloud.location,
                    "kind": TEMPLATE,
                    "cpu_share": template.cpu_share,
                    "owner": template.owner,
                    "description": template.description,
                },
            )
            for template in self._pool.list_templates()
        ]

    def check_changes(self, operation: str) -> None:
        """Do nothing: images can be made and deleted."""

    def create(self, vm_id: int, name: str, description: str | None) -> Image:
        """Make an image of a VM's root disk (``one.vm.disksaveas``) and return it when it is ready."""
        checked_image_name(name)
        vm = self._monitor.describe_vm(vm_id)
        disk = vm.root_disk
        if disk is None or disk.disk_id is None:
            raise ConflictError(
                f"VM {vm_id} has no root disk of which an image could be made",
                location=self._cloud.location,
                operation="create_image",
            )
        return self._image(self._pool.save_disk(vm_id, disk.disk_id, name, description))

    def delete(self, image_id: str) -> None:
        """Delete an image (``one.image.delete``)."""
        kind, number = number_of_image(image_id, "node_image", self._cloud)
        if kind == TEMPLATE:
            raise NotOfferedError(
                "the driver deletes images only; VM templates are for the cloud's administrators",
                location=self._cloud.location,
                operation="delete_image",
            )
        self._pool.delete(number)

    def copy(self, image_id: str, name: str, description: str | None) -> Image:
        """Copy an image (``one.image.clone``)."""
        kind, number = number_of_image(image_id, "node_image", self._cloud)
        if kind == TEMPLATE:
            raise NotOfferedError(
                "VM templates are not copied; only images are",
                location=self._cloud.location,
                operation="copy_image",
            )
        return self._image(self._pool.copy(number, name, description))

    def _image(self, image: OneImage) -> Image:
        return Image(
            str(image.id),
            image.name,
            {
                "location": self._cloud.location,
                "kind": _kind_of(image),
                "type": image.type,
                "state": image.state,
                "description": image.attributes.get("DESCRIPTION") or None,
                "owner": image.owner,
                "group": image.group,
                "size_mib": image.size_mib,
                "persistent": image.persistent,
                "format": image.format,
                "datastore": image.datastore,
                "created": _moment(image.registered),
                "error": image.error,
                "attributes": dict(image.attributes),
            },
        )

    def _template(self, template: MachineTemplate) -> Image:
        return Image(
            f"{TEMPLATE_PREFIX}{template.id}",
            template.name,
            {
                "location": self._cloud.location,
                "kind": TEMPLATE,
                "description": template.description,
                "owner": template.owner,
                "group": template.group,
                "cpu": template.cpu,
                "cpu_share": template.cpu_share,
                "ram_mib": template.ram_mib,
            },
        )


class PoolVolumes:
    """Persistent datablocks."""

    def __init__(self, cloud: Cloud, datablocks: Datablocks) -> None:
        self._cloud = cloud
        self._datablocks = datablocks

    def checked_id(self, volume_id: object, argument: str) -> str:
        """Return the number of a datablock."""
        if not isinstance(volume_id, str) or not is_number(volume_id):
            raise InvalidArgumentError(
                f"found the id {volume_id!r}; at {self._cloud.location!r} a volume's id is a number",
                argument=argument,
            )
        return volume_id

    def list_volumes(self) -> Iterable[Volume]:
        """Return the user's datablocks.

        Calls ``one.imagepool.info``, and ``one.vmpool.infoextended`` if one is attached.
        """
        return [self._volume(image, device) for image, device in self._datablocks.list_volumes()]

    def volume(self, volume_id: str) -> Volume:
        """Return one datablock (``one.image.info``, and ``one.vm.info`` if it is attached)."""
        return self._volume(*self._datablocks.volume(int(self.checked_id(volume_id, "volume_id"))))

    def create(
        self, size_gib: int, name: str, visibility: str | None, datastore: str | None, token: str | None
    ) -> Volume:
        """Make a datablock (``one.image.allocate``)."""
        if visibility not in (None, "private"):
            raise ArgumentNotOfferedError(
                f"found {visibility!r}; only its owner can use a persistent datablock; leave it out",
                argument="ex_visibility",
            )
        return self._volume(self._datablocks.create_volume(size_gib, name, datastore, token), None)

    def delete(self, volume_id: str) -> None:
        """Delete a datablock (``one.image.delete``)."""
        self._datablocks.delete_volume(int(volume_id))

    def attach(self, volume_id: str, vm_id: int, device: str | None) -> str | None:
        """Plug a datablock into a VM (``one.vm.attach``); the cloud chooses the device."""
        del device
        return self._datablocks.attach(vm_id, int(volume_id))

    def detach(self, volume_id: str, vm_id: int | None, known: tuple[int, int] | None) -> int:
        """Unplug a datablock from a VM (``one.vm.detach``)."""
        del known
        return self._datablocks.detach(int(volume_id), vm_id)

    def check_snapshots(self, operation: str) -> None:
        """Do nothing: datablocks have snapshots."""

    def list_snapshots(self, volume_id: str) -> list[Snapshot]:
        """Return the snapshots (``one.image.info``)."""
        return [
            self._snapshot(volume_id, snapshot) for snapshot in self._datablocks.snapshots(int(volume_id))
        ]

    def create_snapshot(self, volume_id: str, name: str | None) -> Snapshot:
        """Make a snapshot of an attached datablock (``one.vm.disksnapshotcreate``)."""
        chosen = name or f"snapshot-{uuid.uuid4().hex[:8]}"
        return self._snapshot(volume_id, self._datablocks.create_snapshot(int(volume_id), chosen))

    def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Delete a snapshot (``one.vm.disksnapshotdelete`` or ``one.image.snapshotdelete``)."""
        if not is_number(snapshot_id):
            raise InvalidArgumentError(
                f"found the id {snapshot_id!r}; give the id of a snapshot", argument="snapshot"
            )
        self._datablocks.delete_snapshot(int(volume_id), int(snapshot_id))

    def _volume(self, image: OneImage, device: str | None) -> Volume:
        created = _moment(image.registered)
        return Volume(
            str(image.id),
            image.name,
            -(-image.size_mib // _GIB_IN_MIB),
            _VOLUME_STATES.get(image.state, "unknown"),
            {
                "location": self._cloud.location,
                "owner": image.owner,
                "count": len(image.vm_ids),
                "node": str(image.vm_ids[0]) if len(image.vm_ids) == 1 else None,
                "device": device,
                "state": image.state,
                "size_mib": image.size_mib,
                "datastore": image.datastore,
                "format": image.format,
                "created": None if created is None else created.isoformat(),
                "identifier": image.attributes.get("LIBCLOUD_TOKEN"),
                "error": image.error,
                "snapshot_of": None,
            },
        )

    def _snapshot(self, volume_id: str, snapshot: DiskSnapshot) -> Snapshot:
        return Snapshot(
            str(snapshot.id),
            snapshot.name,
            None if snapshot.size_mib is None else -(-snapshot.size_mib // _GIB_IN_MIB),
            _moment(snapshot.taken),
            {"location": self._cloud.location, "volume_id": volume_id, "active": snapshot.active},
            snapshot.is_ready,
        )


class PoolNetworks:
    """The virtual networks."""

    def __init__(self, networks: VirtualNetworks) -> None:
        self._networks = networks

    def list_networks(self) -> list[Network]:
        """Return the networks (``one.vnpool.info``)."""
        return [
            Network(
                network.id,
                network.name,
                network.free,
                {"owner": network.owner, "size": network.size, "cidr": network.cidr},
            )
            for network in self._networks.list_networks()
        ]


class NamedKeys:
    """The keys in the user's template."""

    def __init__(self, keys: KeyPairs) -> None:
        self._keys = keys

    def check(self) -> None:
        """Do nothing: OpenNebula keeps keys."""

    def list_keys(self) -> list[PublicKey]:
        """Return the keys (``one.user.info``)."""
        return [PublicKey(key.name, key.public_key) for key in self._keys.list_keys()]

    def key(self, name: str) -> PublicKey:
        """Return one key (``one.user.info``)."""
        key = self._keys.key(name)
        return PublicKey(key.name, key.public_key)

    def add(self, name: str, public_key: str) -> PublicKey:
        """Keep a key (``one.user.update``)."""
        key = self._keys.add(name, public_key)
        return PublicKey(key.name, key.public_key)

    def delete(self, name: str) -> None:
        """Forget a key (``one.user.update``)."""
        self._keys.delete(name)


def _is_of_kind(image: OneImage, kind: str) -> bool:
    if kind == _MACHINE:
        return image.type == "OS"
    return kind == _ALL or image.type == DATABLOCK


def _kind_of(image: OneImage) -> str:
    return _MACHINE if image.type in MACHINE_TYPES else _DISK


def _mentions(image: Image, text: str) -> bool:
    wanted = text.casefold()
    texts = (image.id, image.name, image.extra.get("description"), image.extra.get("owner"))
    return any(wanted in found.casefold() for found in texts if found)


def _moment(seconds: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc) if seconds and seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None
