"""The services of one location. Only this module asks which kind of cloud it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stratuslab.client.kinds.marketplace_starter import MarketplaceStarter
from stratuslab.client.kinds.opennebula import NamedKeys, PoolImages, PoolNetworks, PoolVolumes
from stratuslab.client.kinds.pool_starter import PoolStarter
from stratuslab.client.kinds.stratuslab import (
    FixedNetworks,
    MarketplaceImages,
    NoKeyPairs,
    PDiskVolumes,
)
from stratuslab.client.marketplace.marketplace import Marketplace
from stratuslab.client.opennebula.datablocks import Datablocks
from stratuslab.client.opennebula.image_pool import ImagePool
from stratuslab.client.opennebula.key_pairs import KeyPairs as UserKeys
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.runner import Runner
from stratuslab.client.opennebula.virtual_networks import VirtualNetworks
from stratuslab.client.pdisk.persistent_disk import PersistentDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.kinds.offers import Images, KeyPairs, Networks, Starter, Volumes

__all__ = ["Site"]

_Service = TypeVar("_Service")


class Site:
    """The services of one location, each made when it is first used. Threads may share it.

    What differs between the two kinds of cloud is behind ``images``, ``volumes``, ``networks``,
    ``key_pairs`` and ``starter``, the protocols of :mod:`stratuslab.client.kinds.offers`. These ask
    OpenNebula's own port for its release once (``one.system.version``); nothing else is sent.

    :raises ConfigurationError: from each property, if the settings do not allow the service.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._services: dict[str, Any] = {}

    @property
    def rpc(self) -> Rpc:
        """The connection to OpenNebula, which ``monitor`` and ``runner`` share."""
        return self._once("rpc", lambda: Rpc(self.cloud))

    @property
    def monitor(self) -> Monitor:
        """The service that reads VMs."""
        return self._once("monitor", lambda: Monitor(self.cloud, self.rpc))

    @property
    def runner(self) -> Runner:
        """The service that starts and ends VMs."""
        return self._once("runner", lambda: Runner(self.cloud, self.rpc, self.monitor))

    @property
    def marketplace(self) -> Marketplace:
        """The Marketplace."""
        return self._once("marketplace", lambda: Marketplace(self.cloud))

    @property
    def images(self) -> Images:
        """What machines are started from."""
        if self.rpc.front_end.has_pools:
            return self._once("images", lambda: PoolImages(self.cloud, self._pool, self.monitor))
        return self._once("images", lambda: MarketplaceImages(self.cloud, self.marketplace))

    @property
    def volumes(self) -> Volumes:
        """The disks that outlive machines."""
        if self.rpc.front_end.has_pools:
            return self._once("volumes", lambda: PoolVolumes(self.cloud, self._datablocks))
        return self._once("volumes", lambda: PDiskVolumes(self.cloud, self.disks, self.monitor))

    @property
    def networks(self) -> Networks:
        """The networks on which machines have addresses."""
        if self.rpc.front_end.has_pools:
            return self._once("networks", lambda: PoolNetworks(self._virtual_networks))
        return self._once("networks", FixedNetworks)

    @property
    def key_pairs(self) -> KeyPairs:
        """The public keys that the cloud keeps."""
        if self.rpc.front_end.has_pools:
            return self._once("key_pairs", lambda: NamedKeys(self._user_keys))
        return self._once("key_pairs", lambda: NoKeyPairs(self.cloud))

    @property
    def starter(self) -> Starter:
        """The service that starts machines from requests."""
        if self.rpc.front_end.has_pools:
            return self._once(
                "starter",
                lambda: PoolStarter(
                    self.cloud, self.rpc, self.runner, self._pool, self._virtual_networks, self._user_keys
                ),
            )
        return self._once("starter", lambda: MarketplaceStarter(self.cloud, self.marketplace, self.runner))

    @property
    def disks(self) -> PersistentDisk:
        """PDisk."""
        return self._once("disks", lambda: PersistentDisk(self.cloud))

    @property
    def _pool(self) -> ImagePool:
        return self._once("pool", lambda: ImagePool(self.cloud, self.rpc))

    @property
    def _datablocks(self) -> Datablocks:
        return self._once("datablocks", lambda: Datablocks(self.cloud, self.rpc, self.monitor, self._pool))

    @property
    def _virtual_networks(self) -> VirtualNetworks:
        return self._once("virtual_networks", lambda: VirtualNetworks(self.cloud, self.rpc))

    @property
    def _user_keys(self) -> UserKeys:
        return self._once("user_keys", lambda: UserKeys(self.cloud, self.rpc))

    def close(self) -> None:
        """Close all connections. A service that is used again makes new ones."""
        for name in ("rpc", "disks", "marketplace"):
            service = self._services.get(name)
            if service is not None:
                service.close()

    def _once(self, name: str, make: Callable[[], _Service]) -> _Service:
        # If two threads make one at once, both get the first. The second has not connected and is dropped.
        service: _Service | None = self._services.get(name)
        if service is None:
            service = self._services.setdefault(name, make())
        return service
