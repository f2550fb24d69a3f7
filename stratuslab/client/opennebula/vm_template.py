"""The text from which OpenNebula makes a VM."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from stratuslab.client.configuration.cloud import ContextMethod
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.cloud_init import encoded_keys, encoded_user_data
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06, FrontEnd
from stratuslab.client.opennebula.template_text import attribute, checked_key, vector
from stratuslab.client.opennebula.vm import TOKEN_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DISK_BUSES", "NETWORKS", "DiskBus", "ImageDescription", "Network", "VmTemplate", "Vnc"]

DiskBus = Literal["ide", "scsi", "virtio"]
Network = Literal["public", "local", "private"]

DISK_BUSES: Mapping[DiskBus, str] = {"ide": "hd", "scsi": "sd", "virtio": "vd"}
"""Disk bus to the letters before a device's own."""
NETWORKS: tuple[Network, ...] = ("public", "local", "private")

_CONTEXT_TARGET = "hdd"
_LAST_PORT = 65535
_OWN_CONTEXT_KEYS = frozenset(
    {"PUBLIC_KEY", "TARGET", "CONTEXT_METHOD", "CLOUD_INIT_AUTHORIZED_KEYS", "CLOUD_INIT_USER_DATA"}
)
# PEM and OpenSSH, OpenPGP, SSH2 (RFC 4716's relatives), PuTTY.
_PRIVATE_KEY = re.compile(r"PRIVATE KEY( BLOCK)? ?----|^Private-Lines:", re.MULTILINE)
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

    Attributes:
        source: the root disk: ``URL/metadata/ID`` of a Marketplace image, or ``pdisk:…/UUID``.
        cpu: CPUs of the guest.
        ram_mib: memory in MiB.
        swap_mib: size of the swap disk in MiB; 0 for none.
        name: at most 128 bytes of UTF-8; None for OpenNebula's own ``one-ID``.
        cpu_share: how much of CPUs to reserve on the host; None for as many as ``cpu``.
        disk_bus: what the root disk is attached to.
        disk_format: ``raw``, ``qcow2``, …; None for the host's default.
        volatile_disk_mib: size in MiB of an empty disk that dies with the VM; None for none.
        volumes: ``pdisk:…/UUID`` of disks to attach from the start.
        readonly_images: ``URL/metadata/ID`` of images to attach beside the root disk.
        network: the network of the VM's address.
        ip_address: the address to ask for; None for any.
        requirements: OpenNebula's ``REQUIREMENTS`` expression for the host.
        public_keys: SSH public keys, one a line.
        context: further keys and values for the guest.
        context_method: how the guest gets keys and context.
        user_data: for cloud-init; asks for the cloud-init context method by itself.
        inbound_ports: TCP ports on which the image serves, for information.
        kernel, initrd: paths on the host.
        raw_data: libvirt XML to add, for KVM.
        vnc: the VNC display; None for none.
        save_as: make an image of the root disk when the VM is shut down.
        token: a mark by which the VM can be found in lists, None for none.
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
    token: str | None = None

    def __post_init__(self) -> None:
        for what, text in (
            ("the image", self.source),
            ("the name", self.name),
            ("the disk bus", self.disk_bus),
            ("the image's format", self.disk_format),
            ("the IP address", self.ip_address),
            ("the requirements", self.requirements),
            ("the public key", self.public_keys),
            ("the kernel", self.kernel),
            ("the initial RAM disk", self.initrd),
            ("the raw data", self.raw_data),
            ("the token", self.token),
        ):
            _check_kind(what, text, str, "text")
        _check_kind("the context", self.context, Mapping, "a dictionary")
        _check_kind("the user data", self.user_data, (str, bytes), "text or bytes")
        _check_kind("the display", self.vnc, Vnc, "a Vnc, or None for none")
        _check_kind("the image to make", self.save_as, ImageDescription, "an ImageDescription")

    def text(self, front_end: FrontEnd = STRATUSLAB_14_06) -> str:
        """Return the template for ``one.vm.allocate``.

        Raises :class:`InvalidArgumentError` for a value that OpenNebula would not take or not give
        back as it was.
        """
        self._check_numbers()
        parts = [
            attribute("CPU", self.cpu if self.cpu_share is None else self.cpu_share, "the CPU share"),
            attribute("VCPU", self.cpu, "the number of CPUs"),
            attribute("MEMORY", self.ram_mib, "the memory"),
            attribute("RANK", front_end.rank, "the rank"),
        ]
        if self.requirements:
            requirements = _without_variables(self.requirements, "the requirements")
            parts.append(attribute("REQUIREMENTS", requirements, "the requirements"))
        if self.name:
            parts.append(attribute("NAME", _checked_name(self.name, front_end), "the name"))
        if self.kernel or self.initrd:
            parts.append(
                vector("OS", _given({"KERNEL": self.kernel, "INITRD": self.initrd}, "kernel or initrd"))
            )
        parts += [vector("DISK", disk) for disk in self._disks()]
        parts.append(vector("NIC", self._nic(front_end)))
        if self.vnc:
            parts.append(vector("GRAPHICS", _graphics(self.vnc, front_end)))
        if self.raw_data:
            raw: _Items = {"TYPE": ("kvm", "the hypervisor"), "DATA": (self.raw_data, "the raw data")}
            parts.append(vector("RAW", raw))
        parts.append(vector("CONTEXT", self._context()))
        if self.save_as:
            parts.append(vector("CREATE_IMAGE", _image_description(self.save_as)))
        if self.inbound_ports:
            parts.append(attribute("INBOUND_PORTS", ",".join(self.inbound_ports), "the inbound ports"))
        if self.token:
            parts.append(attribute(TOKEN_ATTRIBUTE, self.token, "the token"))
        return "\n".join(parts) + "\n"

    def _check_numbers(self) -> None:
        for what, value, least in (
            ("the number of CPUs", self.cpu, 1),
            ("the memory in MiB", self.ram_mib, 1),
            ("the swap in MiB", self.swap_mib, 0),
            ("the volatile disk in MiB", self.volatile_disk_mib, 1),
        ):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise InvalidArgumentError(f"{what}: found {value!r}; give a whole number from {least}")
        share = self.cpu_share
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if share is not None and not (is_number and 0 < share < float("inf")):
            raise InvalidArgumentError(f"the CPU share: found {self.cpu_share!r}; give a number above 0")
        port = self.vnc.port if self.vnc else None
        if port is not None and not (type(port) is int and 0 <= port <= _LAST_PORT):
            raise InvalidArgumentError(f"the VNC port: found {port!r}; give a number from 0 to {_LAST_PORT}")

    def _disks(self) -> list[_Items]:
        if self.disk_bus not in DISK_BUSES:
            raise InvalidArgumentError(f"the disk bus: found {self.disk_bus!r}; use {', '.join(DISK_BUSES)}")
        prefix = DISK_BUSES[self.disk_bus]
        root: _Items = {
            "SOURCE": (self.source, "the image"),
            "TARGET": (f"{prefix}a", "the root disk's target"),
            "SAVE": ("yes" if self.save_as else "no", "save"),
            "READONLY": ("no", "readonly"),
        }
        if self.disk_format:
            root["DRIVER"] = (self.disk_format, "the image's format")
        disks = [root]
        if self.swap_mib:
            disks.append(
                {
                    "TYPE": ("swap", "the swap disk's type"),
                    "SIZE": (self.swap_mib, "the swap"),
                    "TARGET": (f"{prefix}b", "the swap disk's target"),
                    "READONLY": ("no", "readonly"),
                }
            )
        targets = self._extra_targets(prefix)
        extra_disks = self._extra_disks()
        if len(extra_disks) > len(targets):
            raise InvalidArgumentError(
                f"the disks: found {len(extra_disks)} besides root and swap; give {len(targets)} at most"
            )
        for target, disk in zip(targets, extra_disks, strict=False):
            disks.append({**disk, "TARGET": (target, "a disk's target")})
        return disks

    def _extra_disks(self) -> list[_Items]:
        disks: list[_Items] = []
        if self.volatile_disk_mib is not None:
            disks.append(
                {
                    "TYPE": ("fs", "the volatile disk's type"),
                    "FORMAT": ("ext3", "the volatile disk's format"),
                    "SIZE": (self.volatile_disk_mib, "the volatile disk"),
                    "READONLY": ("no", "readonly"),
                    "SAVE": ("no", "save"),
                }
            )
        disks += [
            {"TYPE": ("block", "a volume's type"), "SOURCE": (volume, "a volume")} for volume in self.volumes
        ]
        disks += [
            {
                "SOURCE": (image, "a read-only image"),
                "READONLY": ("no", "readonly"),
                "SAVE": ("no", "save"),
                "DRIVER": ("raw", "a read-only image's format"),
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
            raise InvalidArgumentError(f"the network: found {self.network!r}; use {', '.join(NETWORKS)}")
        nic: _Items = {
            "NETWORK": (self.network, "the network"),
            "NETWORK_UNAME": (front_end.network_owner, "the network's owner"),
        }
        if self.ip_address:
            try:
                nic["IP"] = (str(ipaddress.IPv4Address(self.ip_address)), "the IP address")
            except ValueError:
                raise InvalidArgumentError(
                    f"the IP address: found {self.ip_address!r}; give an IPv4 address as in 192.0.2.7"
                ) from None
        return nic

    def _context(self) -> _Items:
        methods = get_args(ContextMethod)
        if self.context_method not in methods:
            raise InvalidArgumentError(
                f"the context method: found {self.context_method!r}; use {' or '.join(methods)}"
            )
        items: _Items = {}
        keys = _authorized_keys(self.public_keys)
        if keys:
            items["PUBLIC_KEY"] = (_without_variables(keys, "the public key"), "the public key")
        if self.context_method == "cloud-init" or self.user_data is not None:
            items["CONTEXT_METHOD"] = ("cloud-init", "the context method")
            if keys:
                items["CLOUD_INIT_AUTHORIZED_KEYS"] = (encoded_keys(keys), "the public key")
            if self.user_data is not None:
                items["CLOUD_INIT_USER_DATA"] = (encoded_user_data(self.user_data), "the user data")
        for given, value in self.context.items():
            key = checked_key(given, "the context")
            what = f"the context value of {key}"
            if key in _OWN_CONTEXT_KEYS or key in items:
                raise InvalidArgumentError(f"the context: the key {key} is set already; choose another name")
            if not isinstance(value, str):
                raise InvalidArgumentError(f"{what}: found a {type(value).__name__}; give a string")
            items[key] = (_without_variables(value, what), what)
        items["TARGET"] = (_CONTEXT_TARGET, "the context's target")
        return items


def _check_kind(what: str, value: object, kinds: type | tuple[type, ...], right: str) -> None:
    if value is not None and not isinstance(value, kinds):
        raise InvalidArgumentError(f"{what}: found a {type(value).__name__}; give {right}")


def _graphics(vnc: Vnc, front_end: FrontEnd) -> _Items:
    port = front_end.graphics_port if vnc.port is None else vnc.port
    items: _Items = {"PORT": (port, "the VNC port"), "TYPE": ("vnc", "the display")}
    if vnc.listen:
        items["LISTEN"] = (vnc.listen, "the VNC address")
    return items


def _checked_name(name: str, front_end: FrontEnd) -> str:
    length = len(name.encode("utf-8", "surrogatepass"))
    if length > front_end.name_length:
        units = "characters" if name.isascii() else "bytes in UTF-8"
        raise InvalidArgumentError(
            f"the name: has {length} {units}; OpenNebula takes {front_end.name_length} at most"
        )
    refused = next((character for character in name if character in front_end.name_refused), None)
    if refused:
        raise InvalidArgumentError(f"the name: holds {refused!r}, which OpenNebula takes in no name")
    return name


def _authorized_keys(public_keys: str | None) -> str:
    """Return the keys one a line, without the comment lines of other formats."""
    if _PRIVATE_KEY.search(public_keys or ""):
        raise InvalidArgumentError("the public key: found a private key, which must not leave your machine")
    lines = (line.strip(" \t\r") for line in (public_keys or "").split("\n"))
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("Comment:"))


def _without_variables(value: str, what: str) -> str:
    if "$" in value:
        raise InvalidArgumentError(
            f"{what}: holds a $, which OpenNebula replaces by a "
            "variable's value; leave it out or encode the value, for example as base64"
        )
    return value


def _given(items: Mapping[str, str | None], what: str) -> _Items:
    return {key: (value, what) for key, value in items.items() if value}


def _image_description(image: ImageDescription) -> _Items:
    given = _given(
        {
            "CREATOR_NAME": image.creator_name,
            "NEWIMAGE_TITLE": image.title,
            "NEWIMAGE_COMMENT": image.comment,
            "NEWIMAGE_VERSION": image.version,
            "NEWIMAGE_MARKETPLACE": image.marketplace,
        },
        "the image to make",
    )
    return {"CREATOR_EMAIL": (image.creator_email, "the image's creator's e-mail address"), **given}
