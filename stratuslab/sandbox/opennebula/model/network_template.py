"""How OpenNebula 3.2 makes a virtual network of a template."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.names import NAME_LIMIT, fault_if_taken
from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, USED_BY_ALL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.template.template import Template

_CLASSES = {"A": 24, "B": 16, "C": 8}


class NetworkTemplateError(Exception):
    """A template that describes no network; the text is OpenNebula's where that is known."""


def network_of(
    template: Template, network_id: int, owner: User, present: Iterable[VirtualNetwork]
) -> VirtualNetwork:
    """Make the network that a template describes, with a range of addresses; raises NetworkTemplateError.

    If the template lists fixed leases, the network has all addresses from the first to the last one.
    """
    name, bridge = template.single("NAME"), template.single("BRIDGE")
    if not name:
        raise NetworkTemplateError("No NAME in template for Virtual Network.")
    if len(name.encode()) > NAME_LIMIT:
        raise NetworkTemplateError(f"NAME is too long; max length is {NAME_LIMIT} chars.")
    if taken := fault_if_taken(name, owner.uid, present, "NET"):
        raise NetworkTemplateError(taken)
    if {"<", "&"} & {*name, *bridge}:
        raise NetworkTemplateError("Error transforming the Virtual Network to XML.")
    if not bridge and not template.single("PHYDEV"):
        raise NetworkTemplateError("No BRIDGE in template for Virtual Network.")
    permissions = USED_BY_ALL if template.single("PUBLIC").upper() == "YES" else OWNER_ONLY
    return VirtualNetwork(
        network_id, name, bridge or f"onebr{network_id}", *_range(template), owner, permissions
    )


def _range(template: Template) -> tuple[IPv4Address, IPv4Address]:
    kind = template.single("TYPE").upper()
    try:
        if kind == "FIXED":
            addresses = sorted(IPv4Address(lease.get("IP", "")) for lease in template.vectors("LEASES"))
            if not addresses:
                raise NetworkTemplateError("Error getting Leases.")
            return addresses[0], addresses[-1]
        if kind == "RANGED":
            start, end = template.single("IP_START"), template.single("IP_END")
            if start and end:
                return IPv4Address(start), IPv4Address(end)
            return _subnet(template)
    except AddressValueError as error:
        raise NetworkTemplateError(f"Wrong format for IP: {error}") from error
    raise NetworkTemplateError("Wrong TYPE in template for Virtual Network.")


def _subnet(template: Template) -> tuple[IPv4Address, IPv4Address]:
    address, _, prefix = template.single("NETWORK_ADDRESS").partition("/")
    size = template.single("NETWORK_SIZE").upper()
    if prefix.isdecimal():
        bits = 32 - int(prefix)
    elif size in _CLASSES:
        bits = _CLASSES[size]
    elif size.isdecimal():
        bits = (int(size) + 1).bit_length()
    else:
        raise NetworkTemplateError("No NETWORK_SIZE in template for Virtual Network.")
    if not 2 <= bits <= _CLASSES["A"]:
        raise NetworkTemplateError("Wrong NETWORK_SIZE in template for Virtual Network.")
    network = int(IPv4Address(address)) >> bits << bits
    return IPv4Address(network + 1), IPv4Address(network + 2**bits - 2)
