"""Virtual networks whose addresses are on this machine, so that something can answer there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.networks import default_networks

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork

_FIRST = IPv4Address("127.86.0.0")
_SIZE = 4096


def loopback_networks(number: int) -> list[VirtualNetwork]:
    """Make the networks of the location with that number, from 0; those of two locations do not overlap.

    They are in 127.0.0.0/8, which belongs to every machine (macOS has only 127.0.0.1 of it).
    """
    networks = default_networks()
    starts = [_FIRST + (number * len(networks) + network.id) * _SIZE for network in networks]
    return [
        replace(network, first=start + 1, last=start + _SIZE - 2)
        for network, start in zip(networks, starts, strict=True)
    ]
