"""The requests to OpenNebula 3.2 about hosts: all of them are the administrator's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import pool
from stratuslab.sandbox.opennebula.model.hosts import added_host
from stratuslab.sandbox.opennebula.model.infrastructure_document import host_document
from stratuslab.sandbox.opennebula.model.names import check_name
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, missing, not_authorized

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Request, Requests


class HostRequests:
    """Shows, adds and removes hosts; an added host has room for any number of VMs."""

    def __init__(self, hosts: list[Host], scheduler: Scheduler) -> None:
        self._hosts = hosts
        self._scheduler = scheduler
        self._next_id = len(hosts)
        self.requests: Requests[User] = {
            "one.host.info": self._show,
            "one.host.allocate": self._allocate,
            "one.host.delete": self._delete,
            "one.hostpool.info": self._list,
        }

    def _show(self, request: Request[User]) -> str:
        host = self.host(request.user, request.arguments.integer(0), "USE")
        return host_document(host, self._scheduler, request.now)

    def _list(self, request: Request[User]) -> str:
        hosts = self._hosts if request.user.is_admin else []
        return pool("HOST_POOL", (host_document(host, self._scheduler, request.now) for host in hosts))

    def _allocate(self, request: Request[User]) -> int:
        name, *drivers = (request.arguments.string(index) for index in range(5))
        if not request.user.is_admin:
            raise not_authorized(request.user, "CREATE HOST")
        ids = (host.id for host in self._hosts if host.name == name)
        check_name(name, "HOST", next((f"NAME is already taken by HOST {number}." for number in ids), ""))
        host = added_host(self._next_id, name, *drivers)
        self._hosts.append(host)
        self._next_id += 1
        return host.id

    def _delete(self, request: Request[User]) -> int:
        host = self.host(request.user, request.arguments.integer(0), "ADMIN")
        if self._scheduler.vms_on(host):
            text = "Cannot delete host. Can not remove a host with running VMs"
            raise RefusalError(Code.INTERNAL, text)
        self._hosts.remove(host)
        return host.id

    def host(self, user: User, host_id: int, right: str) -> Host:
        """Find a host if the user has that right on it; raises RefusalError."""
        if not user.is_admin:
            raise not_authorized(user, f"{right} HOST", host_id)
        for host in self._hosts:
            if host.id == host_id:
                return host
        raise missing("HOST", host_id)
