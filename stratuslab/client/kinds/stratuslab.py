"""StratusLab 14.06: the Marketplace's images, PDisk's volumes, three networks, no keys."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

from stratuslab.client.errors import (
    ArgumentNotOfferedError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    NotOfferedError,
)
from stratuslab.client.kinds.offers import Image, MachineSize, Network, PublicKey, Snapshot, Volume
from stratuslab.client.marketplace.image_metadata import ImageMetadata
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.opennebula.vm_template import NETWORKS
from stratuslab.client.pdisk.disk import is_disk_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.marketplace.marketplace import Marketplace
    from stratuslab.client.opennebula.monitor import Monitor
    from stratuslab.client.pdisk.disk import Disk, Mount
    from stratuslab.client.pdisk.persistent_disk import PersistentDisk

__all__ = ["FixedNetworks", "MarketplaceImages", "NoKeyPairs", "PDiskVolumes"]

_FIELDS = tuple(field.name for field in dataclasses.fields(ImageMetadata))
_NO_KEYS = (
    "a StratusLab cloud keeps no key pairs: give create_node auth=NodeAuthSSHKey(public key), "
    "or name the file in the configuration key user_public_key_file"
)
_NO_CHANGES = {
    "create_image": "the Marketplace takes signed metadata, not images: start the node with ex_save_as and "
    "end it with ex_save_node to get a new image",
    "delete_image": "only its endorser can withdraw an image, by a newly signed Marketplace entry",
    "copy_image": "images need no copying: every location starts any image of the Marketplace",
}


class MarketplaceImages:
    """The images of the Marketplace."""

    def __init__(self, cloud: Cloud, marketplace: Marketplace) -> None:
        self._cloud = cloud
        self._marketplace = marketplace

    def list_images(self, kind: str, status: str, search: str | None) -> list[Image]:
        """Return one image for each identifier (``GET /metadata``)."""
        if kind == "template":
            raise ArgumentNotOfferedError(
                "found 'template'; a StratusLab cloud has no VM templates; use machine, disk or all",
                argument="ex_kind",
            )
        marketplace = self._marketplace
        entries = (
            entry
            for entry in marketplace.list_images(status)  # type: ignore[arg-type]  # it checks
            if kind in ("all", "disk" if entry.is_disk else "machine")
            and (search is None or _mentions(entry, search))
        )
        return _images_of(entries, marketplace.url_of)

    def image(self, image_id: str) -> Image:
        """Return one image (``GET /metadata/ID``)."""
        marketplace = self._marketplace
        return _images_of([marketplace.image(image_id)], marketplace.url_of)[0]

    def metadata(self, image_id: str) -> ImageMetadata:
        """Return the newest entry of an image (``GET /metadata/ID``)."""
        return self._marketplace.image(image_id)

    def list_sizes(self) -> list[MachineSize]:
        """Return none: the instance types of the configuration are all there is. Sends nothing."""
        return []

    def check_changes(self, operation: str) -> NoReturn:
        """Refuse, with the reason for this operation."""
        raise NotOfferedError(_NO_CHANGES[operation], location=self._cloud.location, operation=operation)

    def create(self, vm_id: int, name: str, description: str | None) -> Image:
        """Refuse: an image is made of a node that was started for it, see ``ex_save_node``."""
        del vm_id, name, description
        self.check_changes("create_image")

    def delete(self, image_id: str) -> None:
        """Refuse: only its endorser can deprecate an entry, by a new signed entry."""
        del image_id
        self.check_changes("delete_image")

    def copy(self, image_id: str, name: str, description: str | None) -> Image:
        """Refuse: every location can start any image of the Marketplace."""
        del image_id, name, description
        self.check_changes("copy_image")


class PDiskVolumes:
    """PDisk's disks."""

    def __init__(self, cloud: Cloud, disks: PersistentDisk, monitor: Monitor) -> None:
        self._cloud = cloud
        self._disks = disks
        self._monitor = monitor

    def checked_id(self, volume_id: object, argument: str) -> str:
        """Return the UUID of a disk."""
        if not isinstance(volume_id, str) or not is_disk_id(volume_id):
            raise InvalidArgumentError(
                f"found the id {volume_id!r}; give a volume or its UUID", argument=argument
            )
        return volume_id

    def list_volumes(self) -> Iterable[Volume]:
        """Return the user's disks, newest first (``GET /disks/``)."""
        return map(self._volume, self._disks.describe_volumes())

    def volume(self, volume_id: str) -> Volume:
        """Return one disk (``GET /disks/UUID``)."""
        return self._volume(self._disks.describe_volume(self.checked_id(volume_id, "volume_id")))

    def create(
        self, size_gib: int, name: str, visibility: str | None, datastore: str | None, token: str | None
    ) -> Volume:
        """Make an empty disk (``POST /disks/``)."""
        if datastore is not None:
            raise ArgumentNotOfferedError("PDisk has no datastores; leave it out", argument="ex_datastore")
        chosen: Any = visibility or "private"
        return self._volume(self._disks.create_volume(size_gib, name, chosen, token=token))

    def delete(self, volume_id: str) -> None:
        """Delete a disk (``DELETE /disks/UUID``)."""
        self._disks.delete_volume(volume_id)

    def attach(self, volume_id: str, vm_id: int, device: str | None) -> str | None:
        """Plug a disk into a running VM (``one.vm.info``, then ``POST /disks/UUID/mounts/``)."""
        del device
        vm = self._monitor.describe_vm(vm_id)
        if vm.state is not VmState.RUNNING or not vm.host:
            raise ConflictError(
                f"node {vm_id} is {vm.state_label}; a volume can only be attached to a running node",
                location=self._cloud.location,
                operation="attach_volume",
            )
        return self._disks.hot_attach(volume_id, vm.host, vm.id)

    def detach(self, volume_id: str, vm_id: int | None, known: tuple[int, int] | None) -> int:
        """Unplug a disk.

        Calls ``DELETE /disks/UUID/mounts/UUID_VMID``; ``GET /disks/UUID/mounts/`` where needed.
        """
        disks = self._disks
        if known is not None and vm_id in (None, known[0]):
            with contextlib.suppress(NotFoundError):
                disks.hot_detach(volume_id, known[0])
                return known[1] - 1
        mounts = disks.mounts(volume_id)
        disks.hot_detach(volume_id, self._vm_of(mounts, vm_id, volume_id))
        return len(mounts) - 1

    def _vm_of(self, mounts: Sequence[Mount], vm_id: int | None, uuid: str) -> int:
        """Return the id of the one VM from which a disk can be unplugged."""
        found = [mount for mount in mounts if vm_id in (None, mount.vm_id)]
        problem = None
        if not found:
            problem = "is attached to no node" if vm_id is None else f"is not attached to node {vm_id}"
        elif len(found) > 1:
            problem = (
                f"is attached to the nodes {', '.join(str(mount.vm_id) for mount in found)}; give ex_node"
            )
        elif found[0].static:
            problem = (
                f"was attached when node {found[0].vm_id} started, which lasts until the end of the node"
            )
        if problem:
            raise ConflictError(
                f"volume {uuid} {problem}", location=self._cloud.location, operation="detach_volume"
            )
        return found[0].vm_id

    def check_snapshots(self, operation: str) -> NoReturn:
        """Refuse: PDisk has no snapshots of data volumes."""
        raise NotOfferedError(
            "PDisk makes no snapshots of data volumes", location=self._cloud.location, operation=operation
        )

    def list_snapshots(self, volume_id: str) -> list[Snapshot]:
        """Refuse: PDisk has no snapshots of data volumes."""
        del volume_id
        self.check_snapshots("list_volume_snapshots")

    def create_snapshot(self, volume_id: str, name: str | None) -> Snapshot:
        """Refuse: PDisk has no snapshots of data volumes."""
        del volume_id, name
        self.check_snapshots("create_volume_snapshot")

    def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Refuse: PDisk has no snapshots of data volumes."""
        del volume_id, snapshot_id
        self.check_snapshots("destroy_volume_snapshot")

    def _volume(self, disk: Disk) -> Volume:
        return Volume(
            disk.uuid,
            disk.tag,
            disk.size_gib,
            "inuse" if disk.count else "available",
            {
                "location": self._cloud.location,
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


class FixedNetworks:
    """The networks public, local and private, which every StratusLab cloud has."""

    def list_networks(self) -> list[Network]:
        """Return the networks. Sends nothing."""
        return [Network(name, name, None, {}) for name in NETWORKS]


class NoKeyPairs:
    """A StratusLab cloud keeps no keys."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def check(self) -> NoReturn:
        """Refuse: public keys are given to each node."""
        raise self._not_offered("key_pairs")

    def list_keys(self) -> NoReturn:
        """Refuse: public keys are given to each node."""
        raise self._not_offered("list_key_pairs")

    def key(self, name: str) -> NoReturn:
        """Refuse: public keys are given to each node."""
        del name
        raise self._not_offered("get_key_pair")

    def add(self, name: str, public_key: str) -> PublicKey:
        """Refuse: public keys are given to each node."""
        del name, public_key
        raise self._not_offered("import_key_pair_from_string")

    def delete(self, name: str) -> NoReturn:
        """Refuse: public keys are given to each node."""
        del name
        raise self._not_offered("delete_key_pair")

    def _not_offered(self, operation: str) -> NotOfferedError:
        return NotOfferedError(_NO_KEYS, location=self._cloud.location, operation=operation)


def _images_of(entries: Iterable[ImageMetadata], url_of: Callable[[str], str]) -> list[Image]:
    """Return one image for each identifier, in the order in which the identifiers appear.

    ``extra`` holds every field of the newest entry where several endorsers have one; ``endorsers``, newest
    first; and ``url``, from which a VM's root disk is made.
    """
    by_identifier: dict[str, list[ImageMetadata]] = {}
    for entry in entries:
        by_identifier.setdefault(entry.identifier, []).append(entry)
    images = []
    for identifier, found in by_identifier.items():
        found.sort(key=lambda entry: entry.age_key, reverse=True)
        extra: dict[str, Any] = {field: getattr(found[0], field) for field in _FIELDS}
        extra["endorsers"] = [entry.endorser for entry in found]
        extra["url"] = url_of(identifier)
        images.append(Image(identifier, found[0].name, extra))
    return images


def _mentions(entry: ImageMetadata, text: str) -> bool:
    """Return whether one of the texts by which people look for an image holds ``text``, in any case."""
    wanted = text.casefold()
    texts = (entry.identifier, entry.title, entry.description, entry.os, entry.endorser, *entry.tags)
    return any(wanted in found.casefold() for found in texts if found)
