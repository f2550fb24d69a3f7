"""The virtual networks at one location, and who has which address."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import USED_BY_ALL, may
from stratuslab.sandbox.opennebula.model.states import VmState
from stratuslab.sandbox.opennebula.model.users import ADMIN, OfUser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.opennebula.template.template import Vector


class NoLeaseError(Exception):
    """There is no such network, or it has no such address left."""


@dataclass
class VirtualNetwork(OfUser):
    """A range of addresses; `leases` has the VM's id by address.

    Addresses are given out one after the other, from the beginning again after the last; `tried` counts.
    """

    id: int
    name: str
    bridge: str
    first: IPv4Address
    last: IPv4Address
    owner: User = ADMIN
    permissions: str = USED_BY_ALL
    leases: dict[IPv4Address, int] = field(default_factory=dict)
    tried: int = 0

    def lease(self, vm_id: int, requested: str) -> IPv4Address:
        """Give an address to a VM, the requested one unless that is empty; raises NoLeaseError."""
        address = self._requested(requested) if requested else self._next()
        self.leases[address] = vm_id
        return address

    def recover(self, vms: Iterable[VirtualMachine]) -> None:
        """Work out the leases from the NICs of the VMs; a VM that is DONE has no lease."""
        self.leases.clear()
        for vm in vms:
            for nic in vm.template.vectors("NIC"):
                if nic.get("NETWORK_ID") == str(self.id):
                    address = IPv4Address(nic["IP"])
                    self.tried = int(address) - int(self.first) + 1
                    if vm.state != VmState.DONE:
                        self.leases[address] = vm.id

    def release(self, vm_id: int) -> None:
        """Take back what a VM has."""
        self.leases = {address: holder for address, holder in self.leases.items() if holder != vm_id}

    def _requested(self, text: str) -> IPv4Address:
        try:
            address = IPv4Address(text)
        except ValueError:
            raise NoLeaseError(text) from None
        if not self.first <= address <= self.last or address in self.leases:
            raise NoLeaseError(text)
        return address

    def _next(self) -> IPv4Address:
        size = int(self.last) - int(self.first) + 1
        if len(self.leases) == size:
            raise NoLeaseError(self.name)
        address = self.first + self.tried % size
        while address in self.leases:
            self.tried += 1
            address = self.first + self.tried % size
        self.tried += 1
        return address


def default_networks() -> list[VirtualNetwork]:
    """Make the three networks of a StratusLab cloud; their addresses exist only in the sandbox."""
    ranges = {
        "public": ("198.18.0.1", "198.18.255.254"),
        "local": ("10.0.0.1", "10.0.255.254"),
        "private": ("172.16.0.1", "172.16.255.254"),
    }
    return [
        VirtualNetwork(number, name, f"br{number}", IPv4Address(first), IPv4Address(last))
        for number, (name, (first, last)) in enumerate(ranges.items())
    ]


def connect(nic: Vector, networks: Iterable[VirtualNetwork], vm_id: int, owner: User) -> None:
    """Complete the NIC of a new VM with an address of its network; raises NoLeaseError.

    A NIC without a network stays as it is.
    """
    if not nic.get("NETWORK") and not nic.get("NETWORK_ID"):
        return
    network = next((network for network in networks if _is_meant(nic, network, owner)), None)
    if network is None or not may(owner, network, "USE"):
        raise NoLeaseError(nic.get("NETWORK", ""))
    address = network.lease(vm_id, nic.get("IP", ""))
    nic.update(
        BRIDGE=network.bridge,
        IP=str(address),
        MAC=mac_of(address),
        NETWORK=network.name,
        NETWORK_ID=str(network.id),
        VLAN="NO",
    )


def mac_of(address: IPv4Address) -> str:
    """Return the MAC address for an IP address."""
    return "02:00:" + address.packed.hex(":")


def _is_meant(nic: Vector, network: VirtualNetwork, owner: User) -> bool:
    if not nic.get("NETWORK"):
        return nic["NETWORK_ID"] == str(network.id)
    network_uname = nic.get("NETWORK_UNAME") or owner.uname
    return nic["NETWORK"] == network.name and network_uname == network.owner.uname
