"""The arguments of ``create_node`` as the template from which OpenNebula makes a VM."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import NodeAuthSSHKey, NodeImage
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.marketplace.image_metadata import is_image_id
from stratuslab.client.opennebula.vm_template import DISK_BUSES, VmTemplate, Vnc
from stratuslab.client.pdisk.disk import is_disk_id, source_of_disk
from stratuslab.libcloud.arguments import disk_id, several, text, whole_number
from stratuslab.libcloud.network import network_of
from stratuslab.libcloud.size import resources_of
from stratuslab.libcloud.ssh_keys import default_public_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from libcloud.compute.base import NodeAuthPassword, NodeLocation, NodeSize, StorageVolume
    from stratuslab.client.configuration.cloud import ContextMethod
    from stratuslab.client.opennebula.vm_template import DiskBus, ImageDescription, Network
    from stratuslab.client.site import Site
    from stratuslab.libcloud.locations import Locations
    from stratuslab.libcloud.network import StratusLabNetwork

__all__ = ["ANY_VNC", "NodeRequest"]

ANY_VNC = Vnc()
"""A display on a port that the cloud chooses."""

_GIB_IN_MIB = 1024
_DISK_BUS_OF: Mapping[str, DiskBus] = {bus: bus for bus in DISK_BUSES}
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
    "metadata": "ex_metadata",
    "user_data": "ex_userdata",
    "inbound_ports": "image.extra['inbound_ports']",
    "kernel": "ex_kernel",
    "initrd": "ex_initrd",
    "raw_data": "ex_raw_data",
    "vnc": "ex_vnc",
    "save_as": "ex_save_as",
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
    ex_network: Network = "public"
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
    networks: Sequence[StratusLabNetwork] | None = None

    def template(self, location: NodeLocation, locations: Locations) -> VmTemplate:
        """Return the VM for a location.

        What is wrong raises :class:`~stratuslab.client.errors.InvalidArgumentError`, which names the
        argument, before the Marketplace is asked for a bare identifier (``GET /metadata/ID``).
        """
        site = locations.site(location)
        with _names_of_arguments():
            template = self._without_image_settings(site, location, locations)
            template.text()
            return self._with_image_settings(template, site)

    def _without_image_settings(self, site: Site, location: NodeLocation, locations: Locations) -> VmTemplate:
        cpu, ram_mib, swap_mib = resources_of(self.size)
        return VmTemplate(
            source=_source_of_image(site, self.image, "image"),
            cpu=cpu,
            ram_mib=ram_mib,
            swap_mib=swap_mib,
            name=self.name,
            cpu_share=self.ex_cpu_share,
            disk_bus=self.ex_disks_bus or "ide",
            disk_format="raw",
            volatile_disk_mib=self._volatile_disk_mib(),
            volumes=[
                _source_of_volume(site, volume, location, locations)
                for volume in several("ex_volumes", self.ex_volumes)
            ],
            readonly_images=[
                _source_of_image(site, image, "ex_readonly_images")
                for image in several("ex_readonly_images", self.ex_readonly_images)
            ],
            network=network_of(self.networks, self.ex_network),
            ip_address=self.ex_ip_address,
            requirements=self.ex_requirements,
            public_keys=_key_of(self.auth) if self.auth else default_public_key(site.cloud),
            context=self.ex_context or {},
            metadata=self.ex_metadata or {},
            context_method=self.ex_context_method or site.cloud.context_method,
            user_data=self.ex_userdata,
            kernel=self.ex_kernel,
            initrd=self.ex_initrd,
            raw_data=self.ex_raw_data,
            vnc=self.ex_vnc,
            save_as=self.ex_save_as,
            token=None if self.ex_token is None else text("ex_token", self.ex_token),
        )

    def _volatile_disk_mib(self) -> int | None:
        if self.ex_volatile_disk is None:
            return None
        return whole_number("ex_volatile_disk", self.ex_volatile_disk, least=1, unit="GiB") * _GIB_IN_MIB

    def _with_image_settings(self, template: VmTemplate, site: Site) -> VmTemplate:
        """Return the template with what the image asks for; a bare identifier is looked up."""
        settings: Mapping[str, Any] = self.image.extra
        if "checksums" not in settings:
            if not is_image_id(self.image.id):
                return template
            entry = site.marketplace.image(self.image.id)
            settings = {
                "disks_bus": entry.disks_bus,
                "format": entry.format,
                "inbound_ports": entry.inbound_ports,
            }
        bus = str(settings.get("disks_bus") or "").lower()
        return replace(
            template,
            disk_bus=self.ex_disks_bus or _DISK_BUS_OF.get(bus, "ide"),
            disk_format=settings.get("format") or "raw",
            inbound_ports=tuple(settings.get("inbound_ports") or ()),
        )


@contextmanager
def _names_of_arguments() -> Iterator[None]:
    """Let errors of a template's fields name the arguments that the caller wrote."""
    try:
        yield
    except InvalidArgumentError as error:
        field, rest = re.fullmatch(r"(\w*)(.*)", error.argument or "", re.DOTALL).groups()  # type: ignore[union-attr]  # matches any text
        if field not in _ARGUMENT_OF_FIELD:
            raise
        argument = f"{_ARGUMENT_OF_FIELD[field]}{rest}"
        raise InvalidArgumentError(error.problem, argument=argument) from error


def _source_of_image(site: Site, image: NodeImage | str, argument: str) -> str:
    """Return what a disk is made from, without asking anybody."""
    extra: Mapping[str, Any] = image.extra if isinstance(image, NodeImage) else {}
    identifier = image.id if isinstance(image, NodeImage) else image
    if "url" in extra and "checksums" in extra:
        return str(extra["url"])
    if isinstance(identifier, str) and is_image_id(identifier):
        return site.marketplace.url_of(identifier)
    if isinstance(identifier, str) and is_disk_id(identifier):
        return source_of_disk(site.cloud, identifier)
    if isinstance(identifier, str) and identifier.lower().startswith(("http://", "https://")):
        return identifier
    raise InvalidArgumentError(
        f"found the id {identifier!r}; give a Marketplace identifier (27 characters), "
        "the UUID of a volume, or a URL",
        argument=argument,
    )


def _source_of_volume(
    site: Site, volume: StorageVolume | str, location: NodeLocation, locations: Locations
) -> str:
    uuid = disk_id("ex_volumes", volume)
    if not isinstance(volume, str):
        locations.check_volume(volume, location, "ex_volumes")
    return source_of_disk(site.cloud, uuid)


def _key_of(auth: NodeAuthSSHKey | NodeAuthPassword) -> str:
    key: str | None = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
    if not key or not key.strip():
        raise InvalidArgumentError("holds no key; give NodeAuthSSHKey(public key)", argument="auth")
    return key
