"""A machine as it is asked for, and the call that starts it on OpenNebula 5.12 and later.

An image and a size of numbers become a template of our own; a VM template, as image or as size, is
instantiated with what is asked for in its place. What is sent for ``CONTEXT``, ``DISK`` or ``NIC`` replaces
all that the VM template has of it: so those of the template are sent along.
"""

from __future__ import annotations

import base64
import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.cloud_init import user_data_bytes
from stratuslab.client.opennebula.one_image import OneImage
from stratuslab.client.opennebula.public_keys import authorized_keys
from stratuslab.client.opennebula.template_text import (
    attribute,
    checked_key,
    checked_name,
    vector,
    without_variables,
)
from stratuslab.client.opennebula.vm import METADATA_ATTRIBUTE, TOKEN_ATTRIBUTE
from stratuslab.client.opennebula.vm_template import encoded_metadata

if TYPE_CHECKING:
    from stratuslab.client.opennebula.machine_template import MachineTemplate
    from stratuslab.client.opennebula.releases import FrontEnd

__all__ = ["Launch", "LaunchOptions", "own_template", "with_template"]

_NETWORK_KEYS = frozenset(
    {"NETWORK", "NETWORK_ID", "NETWORK_UID", "NETWORK_UNAME", "NETWORK_MODE", "IP", "IP6", "MAC"}
)
_IMAGE_KEYS = frozenset(
    {"IMAGE", "IMAGE_ID", "IMAGE_UNAME", "IMAGE_UID", "SOURCE", "SIZE", "ORIGINAL_SIZE", "PERSISTENT"}
)
_OURS = frozenset(
    {
        "NAME",
        "CPU",
        "VCPU",
        "MEMORY",
        "DISK",
        "NIC",
        "CONTEXT",
        "GRAPHICS",
        "SCHED_REQUIREMENTS",
        TOKEN_ATTRIBUTE,
    }
)
_LAST_PORT = 65535
_PREFIXES = {"ide": "hd", "scsi": "sd", "virtio": "vd"}
_Items = dict[str, tuple[str | int | float, str]]


@dataclass(frozen=True)
class Launch:
    """The call that starts a machine, and the mark by which the machine can be found."""

    method: str
    arguments: tuple[str | int | bool, ...]
    token: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """What is asked of a machine besides image and size.

    Sizes are in MiB. ``networks`` are ids of networks, ``volumes`` ids of images; None is the VM template's
    own. ``vnc_listen`` is the address of the display: None for any, ``display`` says whether there is one,
    None for what the VM template has. ``attributes`` are further attributes of OpenNebula's template.
    """

    name: str | None = None
    cpu_share: float | None = None
    networks: Sequence[str] | None = None
    ip_address: str | None = None
    volumes: Sequence[str] = ()
    volatile_disk_mib: int | None = None
    disk_mib: int = 0
    disk_bus: str | None = None
    public_keys: str | None = None
    user_data: str | bytes | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    requirements: str | None = None
    display: bool | None = None
    vnc_port: int | None = None
    vnc_listen: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)

    def check(self, front_end: FrontEnd) -> None:
        """Check what the cloud would not take.

        :raises InvalidArgumentError: for a wrong value.
        """
        for argument, value, kinds, right in (
            ("ex_requirements", self.requirements, str, "text"),
            ("ex_context", self.context, Mapping, "a dictionary"),
            ("ex_metadata", self.metadata, Mapping, "a dictionary"),
            ("ex_vnc.listen", self.vnc_listen, str, "text"),
        ):
            if value is not None and not isinstance(value, kinds):
                raise InvalidArgumentError(f"found a {type(value).__name__}; give {right}", argument=argument)
        share = self.cpu_share
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if share is not None and not (is_number and 0 < share < math.inf):
            raise InvalidArgumentError(f"found {share!r}; give a number above 0", argument="ex_cpu_share")
        port = self.vnc_port
        if port is not None and not (type(port) is int and 0 <= port <= _LAST_PORT):
            raise InvalidArgumentError(
                f"found {port!r}; give a number from 0 to {_LAST_PORT}", argument="ex_vnc.port"
            )
        anything = OneImage.accepted(0, "any")
        own_template(anything, (1, 1, 0), replace(self, networks=["0"]), front_end, "any")


def own_template(
    image: OneImage,
    sizes: tuple[int, int, int],
    options: LaunchOptions,
    front_end: FrontEnd,
    token: str,
) -> Launch:
    """Return the call that starts a machine from an image, with a template of our own.

    ``sizes`` are CPUs, and memory and swap in MiB (``one.vm.allocate``).
    """
    cpu, ram_mib, swap_mib = sizes
    parts = [_sizes(cpu, ram_mib, options.cpu_share)]
    name = _name_of(options, front_end)
    if name:
        parts.insert(0, attribute("NAME", name, "name"))
    disks: list[_Items] = [_root_disk(image, {}, options)]
    if swap_mib:
        disks.append({"TYPE": ("swap", "size.extra['swap']"), "SIZE": (swap_mib, "size.extra['swap']")})
    parts += [vector("DISK", disk) for disk in [*disks, *_extra_disks(options)]]
    parts += [vector("NIC", nic) for nic in _nics(options, ())]
    if options.display is not False:
        parts.append(vector("GRAPHICS", _graphics(options)))
    parts.append(vector("CONTEXT", _context(options, {"NETWORK": "YES"})))
    parts += _more(options)
    parts.append(attribute(TOKEN_ATTRIBUTE, token, "ex_token"))
    return Launch("one.vm.allocate", ("\n".join(parts) + "\n", False), token, options.name)


def with_template(
    template: MachineTemplate,
    image: OneImage | None,
    sizes: tuple[int | None, float | None, int] | None,
    options: LaunchOptions,
    front_end: FrontEnd,
    token: str,
) -> Launch:
    """Return the call that instantiates a VM template (``one.template.instantiate``).

    ``image`` takes the place of the root disk, unless it is that already; ``sizes`` (CPUs, CPU share, MiB of
    memory) that of the template's.
    """
    parts: list[str] = []
    if sizes is not None:
        cpu, share, ram_mib = sizes
        reserved = options.cpu_share if options.cpu_share is not None else share
        if reserved is not None:
            parts.append(attribute("CPU", reserved, "ex_cpu_share"))
        if cpu is not None:
            parts.append(attribute("VCPU", cpu, "size.extra['cpu']"))
        parts.append(attribute("MEMORY", ram_mib, "size.ram"))
    elif options.cpu_share is not None:
        parts.append(attribute("CPU", options.cpu_share, "ex_cpu_share"))
    disks = _disks_of(template, image, options)
    parts += [vector("DISK", disk) for disk in disks]
    if options.networks or options.ip_address:
        parts += [vector("NIC", nic) for nic in _nics(options, template.nics)]
    if options.display and not template.has_graphics:
        parts.append(vector("GRAPHICS", _graphics(options)))
    elif options.display is False and template.has_graphics:
        raise InvalidArgumentError(
            f"found None; the VM template {template.name!r} has a display; leave it out", argument="ex_vnc"
        )
    if options.public_keys or options.user_data is not None or options.context:
        parts.append(vector("CONTEXT", _context(options, template.context)))
    parts += _more(options)
    parts.append(attribute(TOKEN_ATTRIBUTE, token, "ex_token"))
    name = _name_of(options, front_end) or ""
    arguments = (template.id, name, False, "\n".join(parts) + "\n", False)
    return Launch("one.template.instantiate", arguments, token, options.name)


def _sizes(cpu: int, ram_mib: int, share: float | None) -> str:
    return "\n".join(
        (
            attribute("CPU", cpu if share is None else share, "ex_cpu_share"),
            attribute("VCPU", cpu, "size.extra['cpu']"),
            attribute("MEMORY", ram_mib, "size.ram"),
        )
    )


def _root_disk(image: OneImage, kept: Mapping[str, str], options: LaunchOptions) -> _Items:
    disk: _Items = {"IMAGE_ID": (image.id, "image")}
    disk |= {key: (value, "the VM template's disk") for key, value in kept.items() if value}
    if options.disk_bus is not None:
        disk["DEV_PREFIX"] = (_prefix(options.disk_bus), "ex_disks_bus")
    if options.disk_mib > image.size_mib:
        disk["SIZE"] = (options.disk_mib, "size.disk")
    return disk


def _prefix(bus: str) -> str:
    if bus not in _PREFIXES:
        raise InvalidArgumentError(f"found {bus!r}; use {', '.join(_PREFIXES)}", argument="ex_disks_bus")
    return _PREFIXES[bus]


def _extra_disks(options: LaunchOptions) -> list[_Items]:
    disks: list[_Items] = []
    if options.volatile_disk_mib is not None:
        if options.volatile_disk_mib < 1:
            raise InvalidArgumentError("found 0; give a size from 1 GiB", argument="ex_volatile_disk")
        disks.append(
            {
                "TYPE": ("fs", "ex_volatile_disk"),
                "FORMAT": ("raw", "ex_volatile_disk"),
                "SIZE": (options.volatile_disk_mib, "ex_volatile_disk"),
            }
        )
    return disks + [{"IMAGE_ID": (volume, "ex_volumes")} for volume in options.volumes]


def _disks_of(template: MachineTemplate, image: OneImage | None, options: LaunchOptions) -> list[_Items]:
    """Return all disks to send; none if those of the template are enough."""
    more = _extra_disks(options)
    own = [dict(disk) for disk in template.disks]
    place = template.root_place
    disks: list[_Items] = [
        {key: (value, "the VM template's disk") for key, value in disk.items() if value} for disk in own
    ]
    changed = bool(more)
    grown = image is None and options.disk_mib > 0
    if image is not None and (
        place is None or not _is_from(own[place], image) or options.disk_mib > image.size_mib
    ):
        kept = (
            {}
            if place is None
            else {key: value for key, value in own[place].items() if key not in _IMAGE_KEYS}
        )
        root = _root_disk(image, kept, options)
        disks = [root, *disks] if place is None else [*disks[:place], root, *disks[place + 1 :]]
        changed = True
    elif place is not None and (options.disk_bus is not None or grown):
        if options.disk_bus is not None:
            disks[place]["DEV_PREFIX"] = (_prefix(options.disk_bus), "ex_disks_bus")
        if grown:
            disks[place]["SIZE"] = (options.disk_mib, "size.disk")
        changed = True
    return [*disks, *more] if changed else []


def _is_from(disk: Mapping[str, str], image: OneImage) -> bool:
    if "IMAGE_ID" in disk:
        return disk["IMAGE_ID"] == str(image.id)
    return (disk.get("IMAGE"), disk.get("IMAGE_UNAME")) == (image.name, image.owner)


def _nics(options: LaunchOptions, own: Sequence[Mapping[str, str]]) -> list[_Items]:
    """Return all NICs to send: the VM template's, with their model and limits on the networks asked for."""
    nics: list[_Items] = [
        {key: (value, "the VM template's NIC") for key, value in nic.items() if value} for nic in own
    ]
    if options.networks:
        kept = [{key: nic[key] for key in nic if key not in _NETWORK_KEYS} for nic in nics]
        nics = [
            {"NETWORK_ID": (network, "ex_network"), **(kept[n] if n < len(kept) else {})}
            for n, network in enumerate(options.networks)
        ]
    if options.ip_address:
        try:
            # A number or bytes would be an address too.
            address = ipaddress.ip_address(str(options.ip_address))
        except ValueError:
            raise InvalidArgumentError(
                f"found {options.ip_address!r}; give an address as in 192.0.2.7", argument="ex_ip_address"
            ) from None
        if nics:
            nics[0]["IP" if address.version == 4 else "IP6"] = (str(address), "ex_ip_address")
    return nics


def _graphics(options: LaunchOptions) -> _Items:
    items: _Items = {"TYPE": ("vnc", "ex_vnc")}
    if options.vnc_port is not None:
        items["PORT"] = (options.vnc_port, "ex_vnc.port")
    if options.vnc_listen:
        items["LISTEN"] = (options.vnc_listen, "ex_vnc.listen")
    return items


def _context(options: LaunchOptions, own: Mapping[str, str]) -> _Items:
    """Return the whole context: the VM template's, and in its place or beside it what is asked for."""
    items: _Items = {key: (value, "the VM template's context") for key, value in own.items() if value}
    keys = without_variables(authorized_keys(options.public_keys, "public_keys"), "public_keys")
    if keys:
        items["SSH_PUBLIC_KEY"] = ((keys + own.get("SSH_PUBLIC_KEY", "")).rstrip("\n"), "auth")
    if options.user_data is not None:
        encoded = base64.b64encode(user_data_bytes(options.user_data)).decode("ascii")
        items["USER_DATA"] = (encoded, "ex_userdata")
        items["USER_DATA_ENCODING"] = ("base64", "ex_userdata")
    taken = {
        key
        for key in ("SSH_PUBLIC_KEY", "USER_DATA", "USER_DATA_ENCODING")
        if key in items and key not in own
    }
    for given, value in options.context.items():
        key = checked_key(given, "ex_context")
        if key in taken:
            raise InvalidArgumentError(
                f"the key {key} is set already; choose another name", argument="ex_context"
            )
        argument = f"ex_context[{given!r}]"
        if not isinstance(value, str):
            raise InvalidArgumentError(f"found a {type(value).__name__}; give a string", argument=argument)
        items[key] = (without_variables(value, argument), argument)
    return items


def _more(options: LaunchOptions) -> list[str]:
    parts = []
    if options.requirements:
        parts.append(attribute("SCHED_REQUIREMENTS", options.requirements, "ex_requirements"))
    if options.metadata:
        parts.append(attribute(METADATA_ATTRIBUTE, encoded_metadata(options.metadata), "metadata"))
    for given, value in options.attributes.items():
        what = f"ex_template[{given!r}]"
        key = checked_key(given, "ex_template")
        if key in _OURS:
            raise InvalidArgumentError("is set by another argument; give it there", argument=what)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            parts.append(_given(key, one, what))
    return parts


def _given(key: str, value: object, what: str) -> str:
    if isinstance(value, Mapping):
        items: _Items = {
            checked_key(inner, what): (_plain(item, what), what) for inner, item in value.items()
        }
        return vector(key, items)
    return attribute(key, _plain(value, what), what)


def _plain(value: object, what: str) -> str | int | float:
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, (str, int, float)):
        return value
    raise InvalidArgumentError(
        f"found a {type(value).__name__}; give text, a number or a dictionary", argument=what
    )


def _name_of(options: LaunchOptions, front_end: FrontEnd) -> str | None:
    if options.name is None:
        return None
    return checked_name(options.name, longest=front_end.name_length, refused=front_end.name_refused)
