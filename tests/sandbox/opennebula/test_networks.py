from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from stratuslab.sandbox.opennebula.model.networks import (
    NoLeaseError,
    VirtualNetwork,
    connect,
    default_networks,
)
from stratuslab.sandbox.opennebula.model.users import ONEADMIN, User

ALICE = User("alice", 2, 1, "users")
ADMIN = User(ONEADMIN, 0, 0, ONEADMIN)


def small_network() -> VirtualNetwork:
    return VirtualNetwork(7, "small", "br7", IPv4Address("192.0.2.1"), IPv4Address("192.0.2.3"))


def leased(network: VirtualNetwork, vm_id: int, requested: str = "") -> str:
    return str(network.lease(vm_id, requested))


def test_addresses_one_after_the_other_and_round_again() -> None:
    network = small_network()
    assert [leased(network, vm_id) for vm_id in (1, 2)] == ["192.0.2.1", "192.0.2.2"]
    network.release(1)
    assert [leased(network, vm_id) for vm_id in (3, 4)] == ["192.0.2.3", "192.0.2.1"]
    with pytest.raises(NoLeaseError):
        network.lease(5, "")
    network.release(2)
    assert leased(network, 5) == "192.0.2.2"


def test_requested_address() -> None:
    network = small_network()
    assert leased(network, 1, "192.0.2.1") == "192.0.2.1"
    assert leased(network, 2) == "192.0.2.2"
    for impossible in ("192.0.2.1", "192.0.2.4", "9.9.9.9", "no address"):
        with pytest.raises(NoLeaseError):
            network.lease(3, impossible)


def test_nic_is_completed() -> None:
    nic = {"NETWORK": "small", "NETWORK_UNAME": "oneadmin", "MODEL": "virtio", "MAC": "02:00:00:00:00:99"}
    connect(nic, [small_network()], 1, ALICE)
    assert nic == {
        "BRIDGE": "br7",
        "IP": "192.0.2.1",
        "MAC": "02:00:c0:00:02:01",
        "MODEL": "virtio",
        "NETWORK": "small",
        "NETWORK_ID": "7",
        "NETWORK_UNAME": "oneadmin",
        "VLAN": "NO",
    }


def test_network_by_id() -> None:
    nic = {"NETWORK_ID": "7"}
    connect(nic, [small_network()], 1, ALICE)
    assert nic["NETWORK"] == "small"


def test_nic_without_a_network_stays_as_it_is() -> None:
    nic = {"MAC": "02:00:00:00:00:99"}
    connect(nic, [small_network()], 1, ALICE)
    assert nic == {"MAC": "02:00:00:00:00:99"}


@pytest.mark.parametrize(
    "nic",
    [
        {"NETWORK": "small"},
        {"NETWORK": "small", "NETWORK_UNAME": "alice"},
        {"NETWORK": "other", "NETWORK_UNAME": "oneadmin"},
        {"NETWORK_ID": "8"},
    ],
)
def test_network_of_another_owner_or_none_at_all(nic: dict[str, str]) -> None:
    with pytest.raises(NoLeaseError):
        connect(nic, [small_network()], 1, ALICE)


def test_oneadmin_needs_not_say_whose_network_it_is() -> None:
    nic = {"NETWORK": "small"}
    connect(nic, [small_network()], 1, ADMIN)
    assert nic["IP"] == "192.0.2.1"


def test_the_networks_of_a_location() -> None:
    assert [network.name for network in default_networks()] == ["public", "local", "private"]
