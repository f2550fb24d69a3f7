"""OpenNebula's virtual networks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.client.errors import ConfigurationError, InvalidArgumentError
from stratuslab.client.opennebula.pool import integer, list_pool, object_id, text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.rpc import Rpc

__all__ = ["VirtualNetwork", "VirtualNetworks"]


@dataclass(frozen=True, slots=True)
class VirtualNetwork:
    """A network. ``size`` is how many addresses it has, ``free`` how many of them are not leased."""

    id: str
    name: str
    owner: str | None
    size: int
    free: int
    cidr: str | None

    @classmethod
    def from_element(cls, network: Element) -> VirtualNetwork:
        """Read a ``<VNET>``.

        :raises DocumentError: if it has no number.
        """
        number = object_id(network)
        size = sum(integer(part, "SIZE") or 0 for part in network.findall("AR_POOL/AR"))
        return cls(
            str(number),
            text(network, "NAME") or str(number),
            text(network, "UNAME"),
            size,
            max(0, size - (integer(network, "USED_LEASES") or 0)),
            _cidr(text(network, "TEMPLATE/NETWORK_ADDRESS"), text(network, "TEMPLATE/NETWORK_MASK")),
        )


class VirtualNetworks:
    """The networks of one cloud on which a VM can have an address."""

    def __init__(self, cloud: Cloud, rpc: Rpc) -> None:
        self._cloud = cloud
        self._rpc = rpc
        self._default: str | None = None

    def list_networks(self) -> list[VirtualNetwork]:
        """Return the networks that the user may see, by ascending id (``one.vnpool.info``)."""
        found = list_pool(
            self._rpc,
            "one.vnpool.info",
            -2,
            -1,
            -1,
            root="VNET_POOL",
            tag="VNET",
            read=VirtualNetwork.from_element,
        )
        return sorted(found, key=lambda network: int(network.id))

    def number_of(self, given: str, argument: str | None) -> str:
        """Return the id of a network given by id or name (``one.vnpool.info`` unless it is a number)."""
        if given.isascii() and given.isdecimal():
            return given
        networks = self.list_networks()
        found = [network for network in networks if network.name == given]
        if len(found) == 1:
            return found[0].id
        problem = f"{len(found)} networks have this name" if found else "there is no such network"
        raise InvalidArgumentError(f"found {given!r}; {problem}; {_advice(networks)}", argument=argument)

    def default(self) -> str:
        """Return the id of ``default_network``, else of the only network there is; it is looked for once.

        :raises InvalidArgumentError: if there is no such network.
        """
        if self._default is None:
            given = self._cloud.default_network
            if given:
                self._default = self._number_of_key(given)
            else:
                self._default = self._only_one()
        return self._default

    def _number_of_key(self, given: str) -> str:
        try:
            return self.number_of(given, None)
        except InvalidArgumentError as error:
            raise ConfigurationError(f"{self._cloud.source}, key default_network: {error.problem}") from None

    def forget_default(self) -> None:
        """Forget the default network; it is looked for again when it is next needed."""
        self._default = None

    def _only_one(self) -> str:
        networks = self.list_networks()
        if len(networks) == 1:
            return networks[0].id
        raise InvalidArgumentError(
            f"is missing, and there is no default_network in {self._cloud.source}; {_advice(networks)}",
            argument="ex_network",
        )


def _advice(networks: list[VirtualNetwork]) -> str:
    if not networks:
        return "the cloud shows this user no network at all; ask its administrators for the right to use one"
    return f"give one of {', '.join(f'{network.name!r} ({network.id})' for network in networks)}"


def _cidr(address: str | None, mask: str | None) -> str | None:
    try:
        return str(ipaddress.ip_network(f"{address}/{mask}")) if address and mask else None
    except ValueError:
        return None
