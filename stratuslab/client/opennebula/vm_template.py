"""The text from which OpenNebula makes a VM."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.guest_context import guest_context
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06, FrontEnd
from stratuslab.client.opennebula.template_text import attribute, checked_name, vector, without_variables
from stratuslab.client.opennebula.vm import METADATA_ATTRIBUTE, TOKEN_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratuslab.client.configuration.cloud import ContextMethod

__all__ = [
    "DISK_BUSES",
    "NETWORKS",
    "DiskBus",
    "ImageDescription",
    "Network",
    "VmTemplate",
    "Vnc",
    "encoded_metadata",
]

DiskBus = Literal["ide", "scsi", "virtio"]
Network = Literal["public", "local", "private"]

DISK_BUSES: Mapping[DiskBus, str] = {"ide": "hd", "scsi": "sd", "virtio": "vd"}
"""Disk bus to the letters before a device's own."""
NETWORKS: tuple[Network, ...] = ("public", "local", "private")

_LAST_PORT = 65535
_Items = dict[str, tuple[str | int | float, str]]


@dataclass(frozen=True)
class ImageDescription:
    """The image that is made of a VM's root disk when the VM is shut down.

    All but ``title``, ``comment`` and ``version`` is the creator: StratusLab mails the identifier
    of the new image to ``creator_email``.
    """

    creator_email: str
    creator_name: str | None = None
    title: str | None = None
    comment: str | None = None
    version: str | None = None
    marketplace: str | None = None


@dataclass(frozen=True)
class Vnc:
    """A VNC display: on a TCP port of the host, and listening there on an address; None for any."""

    port: int | None = None
    listen: str | None = None


@dataclass(frozen=True, kw_only=True)
class VmTemplate:
    """A VM as it is asked for.

    :param source: the root disk: ``URL/metadata/ID`` of a Marketplace image, or ``pdisk:…/UUID``.
    :param cpu: CPUs of the guest.
    :param ram_mib: memory in MiB.
    :param swap_mib: size of the swap disk in MiB; 0 for none.
    :param name: at most 128 bytes of UTF-8; None for OpenNebula's own ``one-ID``.
    :param cpu_share: how many CPUs to reserve on the host, also parts of one; None for as many as ``cpu``.
    :param disk_bus: what the root disk is attached to.
    :param disk_format: ``raw``, ``qcow2``, …; None for the host's default.
    :param volatile_disk_mib: size in MiB of an empty disk that ends with the VM; None for none.
    :param volumes: ``pdisk:…/UUID`` of disks to attach from the start.
    :param readonly_images: ``URL/metadata/ID`` of images to attach beside the root disk.
    :param network: the network of the VM's address.
    :param ip_address: the address to ask for; None for any.
    :param requirements: OpenNebula's ``REQUIREMENTS`` expression for the host.
    :param public_keys: SSH public keys, one a line.
    :param context: further keys and values for the guest.
    :param context_method: how the guest gets keys and context.
    :param user_data: for cloud-init; asks for the cloud-init context method by itself.
    :param inbound_ports: TCP ports on which the image serves, for information.
    :param kernel: path of the kernel on the host.
    :param initrd: path of its initial RAM disk on the host.
    :param raw_data: libvirt XML to add, for KVM.
    :param vnc: the VNC display; None for none.
    :param save_as: make an image of the root disk when the VM is shut down.
    :param metadata: texts to keep with the VM, by name.
    :param token: a mark by which the VM can be found in lists, None for none.
    """

    source: str
    cpu: int
    ram_mib: int
    swap_mib: int = 0
    name: str | None = None
    cpu_share: float | None = None
    disk_bus: DiskBus = "ide"
    disk_format: str | None = None
    volatile_disk_mib: int | None = None
    volumes: Sequence[str] = ()
    readonly_images: Sequence[str] = ()
    network: Network = "public"
    ip_address: str | None = None
    requirements: str | None = None
    public_keys: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    context_method: ContextMethod = "one"
    user_data: str | bytes | None = None
    inbound_ports: Sequence[str] = ()
    kernel: str | None = None
    initrd: str | None = None
    raw_data: str | None = None
    vnc: Vnc | None = Vnc()
    save_as: ImageDescription | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None

    def __post_init__(self) -> None:
        for argument, text in (
            ("source", self.source),
            ("name", self.name),
            ("disk_bus", self.disk_bus),
            ("disk_format", self.disk_format),
            ("ip_address", self.ip_address),
            ("requirements", self.requirements),
            ("public_keys", self.public_keys),
            ("kernel", self.kernel),
            ("initrd", self.initrd),
            ("raw_data", self.raw_data),
            ("token", self.token),
        ):
            _check_kind(argument, text, str, "text")
        _check_kind("context", self.context, Mapping, "a dictionary")
        _check_kind("metadata", self.metadata, Mapping, "a dictionary")
        _check_kind("user_data", self.user_data, (str, bytes), "text or bytes")
        _check_kind("vnc", self.vnc, Vnc, "a Vnc, or None for none")
        _check_kind("save_as", self.save_as, ImageDescription, "an ImageDescription")

    def text(self, front_end: FrontEnd = STRATUSLAB_14_06) -> str:
        """Return the template for ``one.vm.allocate``.

        :raises InvalidArgumentError: for a value that OpenNebula would not take or not give back as it was.
        """
        self._check_numbers()
        parts = [
            attribute("CPU", self.cpu if self.cpu_share is None else self.cpu_share, "cpu_share"),
            attribute("VCPU", self.cpu, "cpu"),
            attribute("MEMORY", self.ram_mib, "ram_mib"),
            attribute("RANK", front_end.rank, "rank"),
        ]
        if self.requirements:
            requirements = without_variables(self.requirements, "requirements")
            parts.append(attribute("REQUIREMENTS", requirements, "requirements"))
        if self.name:
            name = checked_name(self.name, longest=front_end.name_length, refused=front_end.name_refused)
            parts.append(attribute("NAME", name, "name"))
        if self.kernel or self.initrd:
            parts.append(
                vector("OS", _given({"KERNEL": ("kernel", self.kernel), "INITRD": ("initrd", self.initrd)}))
            )
        parts += [vector("DISK", disk) for disk in self._disks()]
        parts.append(vector("NIC", self._nic(front_end)))
        if self.vnc:
            parts.append(vector("GRAPHICS", _graphics(self.vnc, front_end)))
        if self.raw_data:
            raw: _Items = {"TYPE": ("kvm", "raw_data"), "DATA": (self.raw_data, "raw_data")}
            parts.append(vector("RAW", raw))
        context = guest_context(self.context, self.context_method, self.public_keys, self.user_data)
        parts.append(vector("CONTEXT", context))
        if self.save_as:
            parts.append(vector("CREATE_IMAGE", _image_description(self.save_as)))
        if self.inbound_ports:
            parts.append(attribute("INBOUND_PORTS", ",".join(self.inbound_ports), "inbound_ports"))
        if self.metadata:
            parts.append(attribute(METADATA_ATTRIBUTE, encoded_metadata(self.metadata), "metadata"))
        if self.token:
            parts.append(attribute(TOKEN_ATTRIBUTE, self.token, "token"))
        return "\n".join(parts) + "\n"

    def _check_numbers(self) -> None:
        for argument, value, least in (
            ("cpu", self.cpu, 1),
            ("ram_mib", self.ram_mib, 1),
            ("swap_mib", self.swap_mib, 0),
            ("volatile_disk_mib", self.volatile_disk_mib, 1),
        ):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise InvalidArgumentError(
                    f"found {value!r}; give a whole number from {least}", argument=argument
                )
        share = self.cpu_share
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if share is not None and not (is_number and 0 < share < float("inf")):
            raise InvalidArgumentError(
                f"found {self.cpu_share!r}; give a number above 0", argument="cpu_share"
            )
        port = self.vnc.port if self.vnc else None
        if port is not None and not (type(port) is int and 0 <= port <= _LAST_PORT):
            raise InvalidArgumentError(
                f"found {port!r}; give a number from 0 to {_LAST_PORT}", argument="vnc.port"
            )

    def _disks(self) -> list[_Items]:
        if self.disk_bus not in DISK_BUSES:
            raise InvalidArgumentError(
                f"found {self.disk_bus!r}; use {', '.join(DISK_BUSES)}", argument="disk_bus"
            )
        prefix = DISK_BUSES[self.disk_bus]
        root: _Items = {
            "SOURCE": (self.source, "source"),
            "TARGET": (f"{prefix}a", "disk_bus"),
            "SAVE": ("yes" if self.save_as else "no", "save_as"),
            "READONLY": ("no", "source"),
        }
        if self.disk_format:
            root["DRIVER"] = (self.disk_format, "disk_format")
        disks = [root]
        if self.swap_mib:
            disks.append(
                {
                    "TYPE": ("swap", "swap_mib"),
                    "SIZE": (self.swap_mib, "swap_mib"),
                    "TARGET": (f"{prefix}b", "disk_bus"),
                    "READONLY": ("no", "source"),
                }
            )
        targets = self._extra_targets(prefix)
        extra_disks = self._extra_disks()
        if len(extra_disks) > len(targets):
            raise InvalidArgumentError(
                f"found {len(extra_disks)} disks besides root and swap; give {len(targets)} at most",
                argument="volumes",
            )
        for target, disk in zip(targets, extra_disks, strict=False):
            disks.append({**disk, "TARGET": (target, "disk_bus")})
        return disks

    def _extra_disks(self) -> list[_Items]:
        disks: list[_Items] = []
        if self.volatile_disk_mib is not None:
            disks.append(
                {
                    "TYPE": ("fs", "volatile_disk_mib"),
                    "FORMAT": ("ext3", "volatile_disk_mib"),
                    "SIZE": (self.volatile_disk_mib, "volatile_disk_mib"),
                    "READONLY": ("no", "source"),
                    "SAVE": ("no", "save_as"),
                }
            )
        disks += [{"TYPE": ("block", "volumes"), "SOURCE": (volume, "volumes")} for volume in self.volumes]
        disks += [
            {
                "SOURCE": (image, "readonly_images"),
                "READONLY": ("no", "source"),
                "SAVE": ("no", "save_as"),
                "DRIVER": ("raw", "readonly_images"),
            }
            for image in self.readonly_images
        ]
        return disks

    @staticmethod
    def _extra_targets(prefix: str) -> list[str]:
        """Return the targets of the disks after root and swap.

        IDE has four devices: root, swap, one more and the context at ``hdd``; the rest is virtio.
        """
        if prefix == "hd":
            return ["hdc", *(f"vd{letter}" for letter in "defghijklmno")]
        return [f"{prefix}{letter}" for letter in "cdefghijklmno"]

    def _nic(self, front_end: FrontEnd) -> _Items:
        if self.network not in NETWORKS:
            raise InvalidArgumentError(
                f"found {self.network!r}; use {', '.join(NETWORKS)}", argument="network"
            )
        nic: _Items = {
            "NETWORK": (self.network, "network"),
            "NETWORK_UNAME": (front_end.network_owner, "network"),
        }
        if self.ip_address:
            try:
                nic["IP"] = (str(ipaddress.IPv4Address(self.ip_address)), "ip_address")
            except ValueError:
                raise InvalidArgumentError(
                    f"found {self.ip_address!r}; give an IPv4 address as in 192.0.2.7", argument="ip_address"
                ) from None
        return nic


def _check_kind(argument: str, value: object, kinds: type | tuple[type, ...], right: str) -> None:
    if value is not None and not isinstance(value, kinds):
        raise InvalidArgumentError(f"found a {type(value).__name__}; give {right}", argument=argument)


def _graphics(vnc: Vnc, front_end: FrontEnd) -> _Items:
    port = front_end.graphics_port if vnc.port is None else vnc.port
    items: _Items = {"PORT": (port, "vnc.port"), "TYPE": ("vnc", "vnc")}
    if vnc.listen:
        items["LISTEN"] = (vnc.listen, "vnc.listen")
    return items


def encoded_metadata(metadata: Mapping[str, str]) -> str:
    """Return the metadata of a VM as one text, which OpenNebula keeps as it is."""
    for key, value in metadata.items():
        if not isinstance(key, str) or not key:
            raise InvalidArgumentError(f"found the key {key!r}; give text", argument="metadata")
        if not isinstance(value, str):
            raise InvalidArgumentError(
                f"found a {type(value).__name__}; give a string", argument=f"metadata[{key!r}]"
            )
    try:
        return urlencode(metadata)
    except UnicodeEncodeError:
        raise InvalidArgumentError(
            "has text with a surrogate, which UTF-8 cannot hold; leave it out", argument="metadata"
        ) from None


def _given(items: Mapping[str, tuple[str, str | None]]) -> _Items:
    return {key: (value, argument) for key, (argument, value) in items.items() if value}


def _image_description(image: ImageDescription) -> _Items:
    given = _given(
        {
            "CREATOR_NAME": ("save_as.creator_name", image.creator_name),
            "NEWIMAGE_TITLE": ("save_as.title", image.title),
            "NEWIMAGE_COMMENT": ("save_as.comment", image.comment),
            "NEWIMAGE_VERSION": ("save_as.version", image.version),
            "NEWIMAGE_MARKETPLACE": ("save_as.marketplace", image.marketplace),
        }
    )
    return {"CREATOR_EMAIL": (image.creator_email, "save_as.creator_email"), **given}
