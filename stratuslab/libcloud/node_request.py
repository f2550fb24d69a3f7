"""The arguments of ``create_node`` as the machine that is asked for."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import NodeAuthSSHKey, NodeImage, StorageVolume
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.kinds.offers import MachineRequest
from stratuslab.client.opennebula.vm_template import Vnc
from stratuslab.libcloud.arguments import named_as_written, several, text, whole_number
from stratuslab.libcloud.network import names_of_networks
from stratuslab.libcloud.size import resources_of
from stratuslab.libcloud.ssh_keys import default_public_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from libcloud.compute.base import NodeAuthPassword, NodeLocation, NodeSize
    from stratuslab.client.configuration.cloud import ContextMethod
    from stratuslab.client.opennebula.vm import VirtualMachine
    from stratuslab.client.opennebula.vm_template import DiskBus, ImageDescription
    from stratuslab.client.site import Site
    from stratuslab.libcloud.locations import Locations
    from stratuslab.libcloud.network import StratusLabNetwork

__all__ = ["ANY_VNC", "NodeRequest"]

ANY_VNC = Vnc()
"""A display on a port that the cloud chooses."""

_GIB_IN_MIB = 1024
_ARGUMENT_OF_FIELD = {
    "source": "image",
    "cpu": "size.extra['cpu']",
    "ram_mib": "size.ram",
    "swap_mib": "size.extra['swap']",
    "cpu_share": "ex_cpu_share",
    "disk_bus": "ex_disks_bus",
    "disk_format": "image.extra['format']",
    "volatile_disk_mib": "ex_volatile_disk",
    "volumes": "ex_volumes",
    "readonly_images": "ex_readonly_images",
    "network": "ex_network",
    "ip_address": "ex_ip_address",
    "requirements": "ex_requirements",
    "public_keys": "auth",
    "context": "ex_context",
    "context_method": "ex_context_method",
    "user_data": "ex_userdata",
    "inbound_ports": "image.extra['inbound_ports']",
    "kernel": "ex_kernel",
    "initrd": "ex_initrd",
    "raw_data": "ex_raw_data",
    "vnc": "ex_vnc",
    "save_as": "ex_save_as",
    "metadata": "ex_metadata",
    "token": "ex_token",
}
"""Field of a :class:`VmTemplate` to the argument from which it comes."""


@dataclass(frozen=True, kw_only=True)
class NodeRequest:
    """What ``create_node`` was asked for: the fields are its arguments."""

    name: str | None
    size: NodeSize
    image: NodeImage
    auth: NodeAuthSSHKey | NodeAuthPassword | None = None
    ex_userdata: str | bytes | None = None
    ex_context: Mapping[str, str] | None = None
    ex_metadata: Mapping[str, str] | None = None
    ex_context_method: ContextMethod | None = None
    ex_network: str | int | StratusLabNetwork | None = None
    ex_ip_address: str | None = None
    ex_requirements: str | None = None
    ex_volumes: Sequence[StorageVolume | str] | None = None
    ex_volatile_disk: int | None = None
    ex_readonly_images: Sequence[NodeImage | str] | None = None
    ex_cpu_share: float | None = None
    ex_disks_bus: DiskBus | None = None
    ex_vnc: Vnc | None = ANY_VNC
    ex_kernel: str | None = None
    ex_initrd: str | None = None
    ex_raw_data: str | None = None
    ex_save_as: ImageDescription | None = None
    ex_token: str | None = None
    ex_template: Mapping[str, object] | None = None
    ex_keyname: str | None = None
    networks: Sequence[StratusLabNetwork] | None = None

    def machine(self, location: NodeLocation, locations: Locations) -> MachineRequest:
        """Return the machine for a location.

        :raises InvalidArgumentError: for a wrong argument; it names the argument.
        """
        site = locations.site(location)
        cpu, ram_mib, swap_mib = resources_of(self.size)
        stated = (self.size.extra or {}).get("location")
        if isinstance(stated, str) and stated != location.id:
            raise InvalidArgumentError(
                f"found a size of {stated!r}; give one of list_sizes({location.id!r})", argument="size"
            )
        volumes = [
            _volume(site, volume, location, locations) for volume in several("ex_volumes", self.ex_volumes)
        ]
        twice = next((volume for volume in volumes if volumes.count(volume) > 1), None)
        if twice is not None:
            raise InvalidArgumentError(
                f"found the volume {twice} twice; give each one once", argument="ex_volumes"
            )
        return MachineRequest(
            image=_image("image", self.image),
            size_id=str(self.size.id),
            cpu=cpu,
            ram_mib=ram_mib,
            swap_mib=swap_mib,
            disk_mib=whole_number("size.disk", self.size.disk or 0, unit="GiB") * _GIB_IN_MIB,
            name=self.name,
            cpu_share=self.ex_cpu_share,
            disk_bus=self.ex_disks_bus,
            volatile_disk_mib=self._volatile_disk_mib(),
            volumes=volumes,
            readonly_images=[
                _image("ex_readonly_images", image)
                for image in several("ex_readonly_images", self.ex_readonly_images)
            ],
            networks=names_of_networks(self.networks, self.ex_network, location.id),
            networks_argument="ex_network" if self.networks is None else "networks",
            ip_address=self.ex_ip_address,
            requirements=self.ex_requirements,
            public_keys=_key_of(self.auth) if self.auth else default_public_key(site.cloud),
            key_name=None if self.ex_keyname is None else text("ex_keyname", self.ex_keyname),
            context=self.ex_context or {},
            metadata=self.ex_metadata or {},
            context_method=self.ex_context_method,
            user_data=_as_unix_text(self.ex_userdata),
            kernel=self.ex_kernel,
            initrd=self.ex_initrd,
            raw_data=self.ex_raw_data,
            vnc=self.ex_vnc,
            vnc_is_given=self.ex_vnc is not ANY_VNC,
            save_as=self.ex_save_as,
            token=None if self.ex_token is None else text("ex_token", self.ex_token),
            attributes=_attributes(self.ex_template),
        )

    def start(self, location: NodeLocation, locations: Locations) -> VirtualMachine:
        """Start the machine at a location, once, and return it."""
        with named_as_written(_ARGUMENT_OF_FIELD):
            return locations.site(location).starter.start(self.machine(location, locations))

    def _volatile_disk_mib(self) -> int | None:
        if self.ex_volatile_disk is None:
            return None
        return whole_number("ex_volatile_disk", self.ex_volatile_disk, least=1, unit="GiB") * _GIB_IN_MIB


def _image(argument: str, image: NodeImage | str) -> tuple[str, Mapping[str, Any]]:
    identifier = image.id if isinstance(image, NodeImage) else image
    if not isinstance(identifier, str):
        raise InvalidArgumentError(f"found {image!r}; give an image or its id", argument=argument)
    return identifier, (image.extra or {}) if isinstance(image, NodeImage) else {}


def _volume(site: Site, volume: StorageVolume | str, location: NodeLocation, locations: Locations) -> str:
    given = volume.id if isinstance(volume, StorageVolume) else volume
    volume_id = site.volumes.checked_id(given, "ex_volumes")
    if isinstance(volume, StorageVolume):
        locations.check_volume(volume, location, "ex_volumes")
    return volume_id


def _attributes(given: Mapping[str, object] | None) -> Mapping[str, object]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgumentError(
            f"found a {type(given).__name__}; give a dictionary", argument="ex_template"
        )
    return given or {}


def _key_of(auth: NodeAuthSSHKey | NodeAuthPassword) -> str:
    key: str | None = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
    if not key or not key.strip():
        raise InvalidArgumentError("holds no key; give NodeAuthSSHKey(public key)", argument="auth")
    if not isinstance(key, str):
        raise InvalidArgumentError(
            f"found a {type(key).__name__}; give NodeAuthSSHKey(public key as text)", argument="auth"
        )
    return key.removeprefix("\ufeff")


def _as_unix_text(user_data: str | bytes | None) -> str | bytes | None:
    """Return user data without the byte order mark and the line ends of an editor of Windows.

    With either of them, a guest would look for a program that does not exist in ``#!/bin/sh``. Bytes that are
    not text, for example compressed ones, stay as they are.
    """
    if isinstance(user_data, str):
        return user_data.removeprefix("\ufeff").replace("\r\n", "\n")
    if not isinstance(user_data, bytes):
        return user_data
    try:
        user_data.decode("utf-8")
    except UnicodeDecodeError:
        return user_data
    return user_data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
