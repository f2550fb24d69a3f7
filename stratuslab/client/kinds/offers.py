"""What both kinds of cloud offer, in the same words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from stratuslab.client.configuration.cloud import ContextMethod
    from stratuslab.client.marketplace.image_metadata import ImageMetadata
    from stratuslab.client.opennebula.vm import VirtualMachine
    from stratuslab.client.opennebula.vm_template import DiskBus, ImageDescription, Vnc

__all__ = [
    "Image",
    "Images",
    "KeyPairs",
    "MachineRequest",
    "MachineSize",
    "Network",
    "Networks",
    "PublicKey",
    "Snapshot",
    "Starter",
    "Volume",
    "Volumes",
]


@dataclass(frozen=True, slots=True)
class Image:
    """What machines are started from. ``extra`` is all that the cloud says of it."""

    id: str
    name: str
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MachineSize:
    """How large a machine is; memory, swap in MiB."""

    id: str
    name: str
    cpu: int
    ram_mib: int
    swap_mib: int
    extra: dict[str, Any]


@dataclass(slots=True)
class Volume:
    """A disk that outlives machines.

    ``state`` is ``available``, ``inuse``, ``creating``, ``deleting``, ``error`` or ``unknown``. ``extra`` is
    plain data, which ``json.dumps`` takes.
    """

    id: str
    name: str
    size_gib: int
    state: str
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of a volume, perhaps one that is still made. ``extra`` is plain data."""

    id: str
    name: str | None
    size_gib: int | None
    taken: datetime | None
    extra: dict[str, Any]
    is_ready: bool = True


@dataclass(frozen=True, slots=True)
class Network:
    """A network on which a machine can have an address; ``free`` is how many are left, None if unknown."""

    id: str
    name: str
    free: int | None
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that the cloud keeps under a name."""

    name: str
    public_key: str


@dataclass(frozen=True, kw_only=True)
class MachineRequest:
    """A machine as requested. Sizes are in MiB; None or empty: not requested.

    ``image`` and ``readonly_images`` are the id of an image and what is known of it (its ``extra``, empty
    for an id alone). ``size_id`` is the id of the size that the numbers are from. ``networks`` are names or
    ids, from the argument ``networks_argument``.
    """

    image: tuple[str, Mapping[str, Any]]
    size_id: str
    cpu: int
    ram_mib: int
    swap_mib: int = 0
    disk_mib: int = 0
    name: str | None = None
    cpu_share: float | None = None
    disk_bus: DiskBus | None = None
    volatile_disk_mib: int | None = None
    volumes: Sequence[str] = ()
    readonly_images: Sequence[tuple[str, Mapping[str, Any]]] = ()
    networks: Sequence[str] = ()
    networks_argument: str = "ex_network"
    ip_address: str | None = None
    requirements: str | None = None
    public_keys: str | None = None
    key_name: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    context_method: ContextMethod | None = None
    user_data: str | bytes | None = None
    kernel: str | None = None
    initrd: str | None = None
    raw_data: str | None = None
    vnc: Vnc | None = None
    vnc_is_given: bool = False
    save_as: ImageDescription | None = None
    token: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


class Images(Protocol):
    """What machines are started from: the Marketplace, or the image pool and the VM templates."""

    def list_images(self, kind: str, status: str, search: str | None) -> list[Image]:
        """Return the images of a kind and status that mention a text."""
        ...

    def image(self, image_id: str) -> Image:
        """Return one image."""
        ...

    def metadata(self, image_id: str) -> ImageMetadata:
        """Return what the Marketplace says of an image."""
        ...

    def list_sizes(self) -> list[MachineSize]:
        """Return the sizes that the cloud itself knows, besides those of the configuration."""
        ...

    def check_changes(self, operation: str) -> None:
        """Raise :class:`~stratuslab.client.errors.NotOfferedError` if images cannot be changed here."""
        ...

    def create(self, vm_id: int, name: str, description: str | None) -> Image:
        """Make an image of a machine's root disk."""
        ...

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        ...

    def copy(self, image_id: str, name: str, description: str | None) -> Image:
        """Copy an image."""
        ...


class Volumes(Protocol):
    """The disks that outlive machines: PDisk, or persistent datablocks."""

    def checked_id(self, volume_id: object, argument: str) -> str:
        """Return the id of a volume if it has the form of one."""
        ...

    def list_volumes(self) -> Iterable[Volume]:
        """Return the user's volumes, newest first."""
        ...

    def volume(self, volume_id: str) -> Volume:
        """Return one volume."""
        ...

    def create(
        self, size_gib: int, name: str, visibility: str | None, datastore: str | None, token: str | None
    ) -> Volume:
        """Make an empty volume."""
        ...

    def delete(self, volume_id: str) -> None:
        """Delete a volume."""
        ...

    def attach(self, volume_id: str, vm_id: int, device: str | None) -> str | None:
        """Plug a volume into a machine and return the device."""
        ...

    def detach(self, volume_id: str, vm_id: int | None, known: tuple[int, int] | None) -> int:
        """Unplug a volume and return how many machines still have it.

        ``known`` is a machine that had it, and how many had it, as far as the caller remembers.
        """
        ...

    def check_snapshots(self, operation: str) -> None:
        """Raise :class:`~stratuslab.client.errors.NotOfferedError` if there are no snapshots."""
        ...

    def list_snapshots(self, volume_id: str) -> list[Snapshot]:
        """Return the snapshots of a volume."""
        ...

    def create_snapshot(self, volume_id: str, name: str | None) -> Snapshot:
        """Make a snapshot of a volume."""
        ...

    def delete_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Delete a snapshot of a volume."""
        ...


class Networks(Protocol):
    """The networks on which machines have addresses: three names, or the virtual networks."""

    def list_networks(self) -> list[Network]:
        """Return the networks."""
        ...


class KeyPairs(Protocol):
    """The public keys that the cloud keeps."""

    def check(self) -> None:
        """Raise :class:`~stratuslab.client.errors.NotOfferedError` if the cloud keeps none."""
        ...

    def list_keys(self) -> list[PublicKey]:
        """Return the keys."""
        ...

    def key(self, name: str) -> PublicKey:
        """Return one key."""
        ...

    def add(self, name: str, public_key: str) -> PublicKey:
        """Keep a key."""
        ...

    def delete(self, name: str) -> None:
        """Forget a key."""
        ...


class Starter(Protocol):
    """The service that starts machines from requests."""

    def start(self, request: MachineRequest) -> VirtualMachine:
        """Start a machine, once, and return it."""
        ...
