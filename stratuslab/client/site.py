"""The services of one location, and their connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stratuslab.client.marketplace.marketplace import Marketplace
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.runner import Runner
from stratuslab.client.pdisk.persistent_disk import PersistentDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["Site"]

_Service = TypeVar("_Service")


class Site:
    """The services of one location, each made when it is first used. Threads may share it.

    Each property raises :class:`~stratuslab.client.errors.ConfigurationError` if the settings do not allow
    the service. None sends anything.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._services: dict[str, Any] = {}

    @property
    def rpc(self) -> Rpc:
        """The way to OpenNebula, which ``monitor`` and ``runner`` share."""
        return self._once("rpc", lambda: Rpc(self.cloud))

    @property
    def monitor(self) -> Monitor:
        """The VMs, to look at."""
        return self._once("monitor", lambda: Monitor(self.cloud, self.rpc))

    @property
    def runner(self) -> Runner:
        """The VMs, to start and end."""
        return self._once("runner", lambda: Runner(self.cloud, self.rpc))

    @property
    def disks(self) -> PersistentDisk:
        """The volumes."""
        return self._once("disks", lambda: PersistentDisk(self.cloud))

    @property
    def marketplace(self) -> Marketplace:
        """The images."""
        return self._once("marketplace", lambda: Marketplace(self.cloud))

    def close(self) -> None:
        """Close all connections. A service that is used again makes new ones."""
        for service in list(self._services.values()):
            service.close()

    def _once(self, name: str, make: Callable[[], _Service]) -> _Service:
        # Two threads may make one at once: both get the first, and the other has not connected.
        service: _Service | None = self._services.get(name)
        if service is None:
            service = self._services.setdefault(name, make())
        return service
