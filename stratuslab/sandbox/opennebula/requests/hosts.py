"""The requests to OpenNebula which concern hosts: all of them are the administrator's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.hosts import added_host
from stratuslab.sandbox.opennebula.model.infrastructure_document import host_document
from stratuslab.sandbox.opennebula.requests.request import (
    ErrorCode,
    RequestError,
    missing,
    not_authorized,
    required_name,
)

if TYPE_CHECKING:
    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests


class HostRequests:
    """Looks at hosts, adds and removes them; a host which is added has room for any number of VMs."""

    def __init__(self, hosts: list[Host], scheduler: Scheduler, clock: Clock) -> None:
        self._hosts = hosts
        self._scheduler = scheduler
        self._clock = clock
        self._next_id = len(hosts)
        self.requests: Requests = {
            "one.host.info": self._show,
            "one.host.allocate": self._allocate,
            "one.host.delete": self._delete,
            "one.hostpool.info": self._list,
        }

    def _show(self, user: User, arguments: Arguments) -> str:
        return self._document(self.host(user, arguments.integer(0), "USE"))

    def _list(self, user: User, _arguments: Arguments) -> str:
        hosts = self._hosts if user.is_admin else []
        return f"<HOST_POOL>{''.join(map(self._document, hosts))}</HOST_POOL>"

    def _allocate(self, user: User, arguments: Arguments) -> int:
        name, *drivers = (arguments.string(index) for index in range(5))
        if not user.is_admin:
            raise not_authorized(user, "CREATE HOST")
        required_name(name, {host.name: host.id for host in self._hosts}, "HOST", "host")
        host = added_host(self._next_id, name, *drivers)
        self._hosts.append(host)
        self._next_id += 1
        return host.id

    def _delete(self, user: User, arguments: Arguments) -> int:
        host = self.host(user, arguments.integer(0), "ADMIN")
        if self._scheduler.vms_on(host):
            raise RequestError(
                ErrorCode.INTERNAL, "Cannot delete host. Can not remove a host with running VMs"
            )
        self._hosts.remove(host)
        return host.id

    def host(self, user: User, host_id: int, right: str) -> Host:
        """Find a host if the user has that right on it; raises RequestError."""
        if not user.is_admin:
            raise not_authorized(user, f"{right} HOST", host_id)
        found = next((host for host in self._hosts if host.id == host_id), None)
        if found is None:
            raise missing("host", host_id)
        return found

    def _document(self, host: Host) -> str:
        return host_document(host, self._scheduler.vms_on(host), self._clock.now())
