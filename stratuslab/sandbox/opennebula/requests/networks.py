"""The requests to OpenNebula which concern virtual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.infrastructure_document import (
    network_document,
    network_document_with_leases,
)
from stratuslab.sandbox.opennebula.model.network_template import NetworkTemplateError, network_of
from stratuslab.sandbox.opennebula.requests.request import (
    ErrorCode,
    RequestError,
    Selection,
    missing,
    not_authorized,
)

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests


class NetworkRequests:
    """Looks at networks, adds and removes them; one which somebody adds is that user's alone."""

    def __init__(self, networks: list[VirtualNetwork]) -> None:
        self._networks = networks
        self._next_id = len(networks)
        self.requests: Requests = {
            "one.vn.info": self._show,
            "one.vn.allocate": self._allocate,
            "one.vn.delete": self._delete,
            "one.vnpool.info": self._list,
        }

    def _show(self, user: User, arguments: Arguments) -> str:
        return network_document_with_leases(self._network(user, arguments.integer(0), "USE"))

    def _list(self, user: User, arguments: Arguments) -> str:
        selection = Selection.of(arguments)
        selected = (
            network_document(network)
            for network in self._networks
            if selection.has_id(network.id)
            and selection.has_owner(network.owner, user, usable=network.usable_by(user))
        )
        return f"<VNET_POOL>{''.join(selected)}</VNET_POOL>"

    def _allocate(self, user: User, arguments: Arguments) -> int:
        try:
            network = network_of(arguments.string(0), self._next_id, user, self._networks)
        except NetworkTemplateError as error:
            text = f"Error allocating a new virtual network. {error}"
            raise RequestError(ErrorCode.INTERNAL, text) from error
        self._networks.append(network)
        self._next_id += 1
        return network.id

    def _delete(self, user: User, arguments: Arguments) -> int:
        network = self._network(user, arguments.integer(0), "MANAGE")
        if network.leases:
            text = "Cannot delete virtual network. Can not remove a virtual network with leases in use"
            raise RequestError(ErrorCode.INTERNAL, text)
        self._networks.remove(network)
        return network.id

    def _network(self, user: User, network_id: int, right: str) -> VirtualNetwork:
        network = next((network for network in self._networks if network.id == network_id), None)
        if network is None:
            raise missing("virtual network", network_id)
        is_own = user.is_admin or network.owner.uid == user.uid
        if not (is_own or (right == "USE" and network.usable_by(user))):
            raise not_authorized(user, f"{right} NET", network_id)
        return network
