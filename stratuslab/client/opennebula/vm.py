"""What an XML document says of one VM, for every front end from OpenNebula 2.2 to 7.x."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from operator import attrgetter
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus
from xml.etree.ElementTree import Element, SubElement

from stratuslab.client.errors import InvalidArgumentError, NotFoundError
from stratuslab.client.opennebula.vm_states import VmState, label_of, state_of
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LAST_VM_ID",
    "METADATA_ATTRIBUTE",
    "TOKEN_ATTRIBUTE",
    "HistoryRecord",
    "VirtualMachine",
    "VmDisk",
    "VmNic",
    "checked_vm_id",
]

TOKEN_ATTRIBUTE = "LIBCLOUD_TOKEN"  # noqa: S105  a mark, not a secret
"""Our own attribute of the template, which OpenNebula keeps with the VM."""
METADATA_ATTRIBUTE = "LIBCLOUD_METADATA"
"""The one that holds the user's metadata, written like the query of a URL, which can hold any text."""

_EMPTY = Element("TEMPLATE")
_ID = re.compile(r"[0-9]{1,10}")
_MAX_DIGITS = 100
_SEQUENCE = attrgetter("sequence")
_IPV6_KEYS = ("IP6", "IP6_GLOBAL", "IP6_ULA")
LAST_VM_ID = 2**31 - 1
"""OpenNebula's numbers have 32 bits."""


def checked_vm_id(vm_id: int) -> int:
    """Return the id of a VM, as OpenNebula's calls take it.

    :raises InvalidArgumentError: for an invalid id.
    :raises NotFoundError: for an id above OpenNebula's highest.
    """
    if isinstance(vm_id, bool) or not isinstance(vm_id, int) or vm_id < 0:
        raise InvalidArgumentError(f"found {vm_id!r}; give a whole number from 0", argument="vm_id")
    if vm_id > LAST_VM_ID:
        raise NotFoundError(f"there is no VM {vm_id}: OpenNebula's ids go from 0 to {LAST_VM_ID}")
    return vm_id


# Lists make thousands of these four. Frozen ones would take four times as long to make.
@dataclass(slots=True)
class VmDisk:
    """A disk of a VM.

    ``source`` is a Marketplace URL, ``pdisk:…/UUID`` or None; ``size_mib`` is known of swap and
    volatile disks; ``save`` says whether an image is made of it when the VM is shut down. ``image_id`` and
    ``image`` are OpenNebula's image that it is from.
    """

    disk_id: int | None
    source: str | None
    type: str | None
    target: str | None
    size_mib: int | None
    save: bool
    image_id: int | None = None
    image: str | None = None


@dataclass(slots=True)
class VmNic:
    """A network card of a VM, or a further address of one.

    ``ip`` is None where the VM has no IPv4 address on that network; ``external`` is the address by which the
    outside world reaches it; ``others`` are its IPv6 addresses, or what the guest says of itself.
    """

    network: str | None
    ip: str | None
    mac: str | None
    external: str | None = None
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class HistoryRecord:
    """One stay of a VM on a host."""

    sequence: int
    hostname: str | None
    started: datetime | None
    ended: datetime | None


@dataclass(slots=True)
class VirtualMachine:
    """One VM.

    ``cpu`` is the number of CPUs of the guest, a guess where ``cpu_is_known`` is false; ``cpu_share`` is
    what is reserved on the host; sizes are in MiB. ``disks`` are in the order of the template, the root
    disk has ``disk_id`` 0. ``host`` is where the VM is or was last. ``error`` is the cloud's reason for a
    failure, ``waiting`` its reason for not starting it. ``attributes`` are those that users and the cloud
    gave it. ``token`` is the mark it was started with, ``metadata`` what its user noted. ``context`` has
    upper-case keys. ``is_short`` says that the document leaves out what only the long ones hold: context,
    attributes and ports are then empty.
    """

    id: int
    name: str
    owner: str | None
    owner_id: int | None
    group: str | None
    state_number: int
    lcm_state_number: int
    created: datetime | None
    ended: datetime | None
    deploy_id: str | None
    cpu: int
    cpu_share: float | None
    ram_mib: int
    disks: tuple[VmDisk, ...]
    nics: tuple[VmNic, ...]
    history: tuple[HistoryRecord, ...]
    context: dict[str, str]
    requirements: str | None
    inbound_ports: tuple[str, ...]
    token: str | None
    graphics: dict[str, str]
    error: str | None
    waiting: str | None
    used_ram_kib: int | None
    used_cpu_percent: float | None
    template_id: int | None = None
    boots_from_disk_0: bool = False
    cpu_is_known: bool = field(default=True, compare=False)
    is_short: bool = field(default=False, compare=False)
    attributes: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> VmState:
        """What the VM is doing."""
        return state_of(self.state_number, self.lcm_state_number)

    @property
    def state_label(self) -> str:
        """OpenNebula's own word for the state."""
        return label_of(self.state_number, self.lcm_state_number)

    @property
    def host(self) -> str | None:
        """The host of the newest history record, None before there is one."""
        return self.history[-1].hostname if self.history else None

    @property
    def swap_mib(self) -> int:
        """The size of the swap disk, 0 where there is none."""
        for disk in self.disks:
            if disk.type == "swap":
                return disk.size_mib or 0
        return 0

    @property
    def root_disk(self) -> VmDisk | None:
        """The disk the VM boots from: the one with ``disk_id`` 0, if it has a source or is from an image."""
        for disk in self.disks:
            if disk.disk_id == 0:
                return disk if disk.source or disk.image_id is not None else None
        return None

    @classmethod
    def accepted(cls, vm_id: int, name: str | None) -> VirtualMachine:
        """Return what is known of a VM that the cloud has accepted and not described yet."""
        vm = Element("VM")
        for tag, text in (("ID", str(vm_id)), ("NAME", name or ""), ("STATE", "1"), ("LCM_STATE", "0")):
            SubElement(vm, tag).text = text
        return cls.from_element(vm)

    @classmethod
    def from_element(cls, vm: Element) -> VirtualMachine:
        """Read a ``<VM>`` element.

        :raises DocumentError: if it has no id. All else may be missing.
        """
        said = _texts(vm)
        text = said.get("ID") or ""
        vm_id = int(text) if _ID.fullmatch(text) else -1
        if not 0 <= vm_id <= LAST_VM_ID:
            raise DocumentError("a <VM> has no numeric <ID>")
        template = vm.find("TEMPLATE")
        template = _EMPTY if template is None else template
        asked = _texts(template)
        found = vm.find("USER_TEMPLATE")
        own = _EMPTY if found is None else found
        noted = _texts(own)
        context = template.find("CONTEXT") if "CONTEXT" in asked else None
        graphics = template.find("GRAPHICS") if "GRAPHICS" in asked else None
        share = _number(asked.get("CPU"))
        # OpenNebula 3.2 has no USER_TEMPLATE. There a VM gets as many CPUs as it reserves.
        cpus = _integer(asked.get("VCPU"))
        ports = (_plain(noted, "INBOUND_PORTS") or _plain(asked, "INBOUND_PORTS") or "").split(",")
        measured = _texts(vm.find("MONITORING")) if "MONITORING" in said else {}
        return cls(
            id=vm_id,
            name=said.get("NAME") or _plain(asked, "NAME") or f"one-{vm_id}",
            owner=_owner(said, encoded=found is None),
            owner_id=_integer(said.get("UID")),
            group=_plain(said, "GNAME"),
            state_number=_or(_integer(said.get("STATE")), -1),
            lcm_state_number=_or(_integer(said.get("LCM_STATE")), -1),
            created=_moment(said.get("STIME")),
            ended=_moment(said.get("ETIME")),
            deploy_id=_plain(said, "DEPLOY_ID"),
            cpu=cpus or max(1, math.ceil(share or 1)),
            cpu_share=share,
            ram_mib=_integer(asked.get("MEMORY")) or 0,
            disks=tuple([_disk(disk) for disk in template.findall("DISK")]),
            nics=_nics(template, asked, measured),
            history=_history(vm),
            context={} if context is None else {item.tag: item.text or "" for item in context},
            requirements=_plain(asked, "REQUIREMENTS") or _plain(noted, "SCHED_REQUIREMENTS"),
            inbound_ports=tuple([port.strip() for port in ports if port.strip()]),
            token=_plain(noted, TOKEN_ATTRIBUTE) or _plain(asked, TOKEN_ATTRIBUTE),
            metadata=_metadata(_plain(noted, METADATA_ATTRIBUTE) or _plain(asked, METADATA_ATTRIBUTE)),
            graphics={} if graphics is None else {item.tag: (item.text or "").strip() for item in graphics},
            error=(_text(template, "ERROR/MESSAGE") if "ERROR" in asked else None) or _plain(noted, "ERROR"),
            waiting=_plain(noted, "SCHED_MESSAGE"),
            used_ram_kib=_integer(measured.get("MEMORY") or said.get("MEMORY")),
            used_cpu_percent=_number(measured.get("CPU") or said.get("CPU")),
            template_id=_integer(asked.get("TEMPLATE_ID")),
            boots_from_disk_0="OS" in asked and (_text(template, "OS/BOOT") or "").startswith("disk0"),
            cpu_is_known=cpus is not None or found is None,
            is_short=found is not None and "PERMISSIONS" not in said and context is None,
            attributes={item.tag: (item.text or "").strip() for item in own if not len(item)},
        )


def _metadata(text: str | None) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _nics(
    template: Element, asked: Mapping[str, str | None], measured: Mapping[str, str | None]
) -> tuple[VmNic, ...]:
    """Return the network cards, their further addresses, and last what the guest says of itself."""
    cards = template.findall("NIC")
    if "NIC_ALIAS" in asked:
        cards += template.findall("NIC_ALIAS")
    if "PCI" in asked:
        cards += [card for card in template.findall("PCI") if card.find("NETWORK_ID") is not None]
    nics = [_nic(_texts(card)) for card in cards]
    if not measured:
        return tuple(nics)
    reported = f"{measured.get('GUEST_IP') or ''} {measured.get('GUEST_IP_ADDRESSES') or ''}"
    addresses = [
        address
        for address in reported.replace(",", " ").split()
        if not address.startswith(("127.", "169.254.", "fe80:", "::1"))
    ]
    if addresses:
        nics.append(VmNic(None, None, None, None, tuple(addresses)))
    return tuple(nics)


def _nic(said: Mapping[str, str | None]) -> VmNic:
    return VmNic(
        _plain(said, "NETWORK"),
        _plain(said, "IP"),
        _plain(said, "MAC"),
        _plain(said, "EXTERNAL_IP"),
        tuple([found for key in _IPV6_KEYS if (found := _plain(said, key))]),
    )


def _disk(disk: Element) -> VmDisk:
    said = _texts(disk)
    return VmDisk(
        _integer(said.get("DISK_ID")),
        _plain(said, "SOURCE"),
        _plain(said, "TYPE"),
        _plain(said, "TARGET"),
        _integer(said.get("SIZE")),
        (_plain(said, "SAVE") or "").lower() == "yes",
        _integer(said.get("IMAGE_ID")),
        _plain(said, "IMAGE"),
    )


def _history(vm: Element) -> tuple[HistoryRecord, ...]:
    records = vm.find("HISTORY_RECORDS")
    found = [] if records is None else records.findall("HISTORY")
    history = []
    for position, record in enumerate(found or vm.findall("HISTORY")):
        said = _texts(record)
        history.append(
            HistoryRecord(
                _or(_integer(said.get("SEQ")), position),
                _plain(said, "HOSTNAME"),
                _moment(said.get("STIME")),
                _moment(said.get("ETIME")),
            )
        )
    history.sort(key=_SEQUENCE)
    return tuple(history)


def _texts(parent: Element | None) -> dict[str, str | None]:
    """Return the text of each child by its tag, of the first where there are several: lists are long."""
    texts: dict[str, str | None] = {}
    if parent is not None:
        for child in reversed(parent):
            texts[child.tag] = child.text
    return texts


def _plain(said: Mapping[str, str | None], tag: str) -> str | None:
    text = said.get(tag)
    return (text.strip() or None) if text else None


def _text(parent: Element, path: str) -> str | None:
    return (parent.findtext(path) or "").strip() or None


def _integer(text: str | None) -> int | None:
    # Not int() alone, which takes "1_0" and the digits of every script.
    digits = text.strip() if text else ""
    is_number = digits.isascii() and digits.removeprefix("-").isdecimal() and len(digits) <= _MAX_DIGITS
    return int(digits) if is_number else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is None or math.isfinite(number) else None


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _moment(text: str | None) -> datetime | None:
    seconds = _integer(text)
    try:
        return datetime.fromtimestamp(seconds, timezone.utc) if seconds and seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _owner(said: Mapping[str, str | None], *, encoded: bool) -> str | None:
    """Return the owner's name as the user wrote it: StratusLab's proxy URL-encodes it for OpenNebula 3.2."""
    name = _plain(said, "UNAME") or _plain(said, "USERNAME")
    return unquote_plus(name) if name and encoded else name
