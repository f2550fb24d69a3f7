"""One StratusLab cloud, with its three services."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stratuslab.sandbox.marketplace.catalogue import default_catalogue
from stratuslab.sandbox.opennebula.model.hosts import make_hosts
from stratuslab.sandbox.opennebula.model.networks import default_networks
from stratuslab.sandbox.opennebula.oned import Oned
from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
from stratuslab.sandbox.pdisk.disks import DiskStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork


class Location:
    """A cloud: `oned` has the VMs, `disks` the persistent disks, `catalogue` the Marketplace's images."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        boot_seconds: float,
        hosts: Sequence[Host] | None = None,
        networks: Sequence[VirtualNetwork] | None = None,
    ) -> None:
        self.name = name
        self.disks = DiskStore(clock)
        self.catalogue = default_catalogue(clock)
        transfer_manager = TransferManager(self.disks, self.catalogue)
        self.oned = Oned(
            hosts or make_hosts(name), networks or default_networks(), clock, transfer_manager, boot_seconds
        )

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let nothing change at the location; no operation is half done then."""
        with self.oned.lock, self.disks.lock, self.catalogue.lock:
            yield
