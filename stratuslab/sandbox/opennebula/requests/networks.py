"""The requests to OpenNebula 3.2 about virtual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import pool
from stratuslab.sandbox.opennebula.model.infrastructure_document import network_document
from stratuslab.sandbox.opennebula.model.network_template import NetworkTemplateError, network_of
from stratuslab.sandbox.opennebula.model.permissions import found
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.requests.request import Selection

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Request, Requests


class NetworkRequests:
    """Shows, adds and removes networks; a network that somebody adds is only that user's."""

    def __init__(self, networks: dict[int, VirtualNetwork]) -> None:
        self._networks = networks
        self._next_id = len(networks)
        self.requests: Requests[User] = {
            "one.vn.info": self._show,
            "one.vn.allocate": self._allocate,
            "one.vn.delete": self._delete,
            "one.vnpool.info": self._list,
        }

    def _show(self, request: Request[User]) -> str:
        return network_document(self._found(request, "USE"), leases=True)

    def _list(self, request: Request[User]) -> str:
        selection = Selection.of(request.arguments, has_pages=False)
        networks = selection.pick(self._networks.values(), request.user)
        return pool("VNET_POOL", (network_document(network, leases=False) for network in networks))

    def _allocate(self, request: Request[User]) -> int:
        prefix = "Error allocating a new virtual network. "
        template = request.template(0, prefix)
        try:
            network = network_of(template, self._next_id, request.user, self._networks.values())
        except NetworkTemplateError as error:
            raise RefusalError(Code.INTERNAL, f"{prefix}{error}") from error
        self._networks[network.id] = network
        self._next_id += 1
        return network.id

    def _delete(self, request: Request[User]) -> int:
        network = self._found(request, "MANAGE")
        if network.leases:
            text = "Cannot delete virtual network. Can not remove a virtual network with leases in use"
            raise RefusalError(Code.INTERNAL, text)
        del self._networks[network.id]
        return network.id

    def _found(self, request: Request[User], right: str) -> VirtualNetwork:
        return found(self._networks, request.user, request.arguments.integer(0), right, "NET")
