"""One StratusLab cloud, with its three services."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stratuslab.sandbox import defaults
from stratuslab.sandbox.marketplace.catalogue import default_catalogue
from stratuslab.sandbox.opennebula.model.states import VmState
from stratuslab.sandbox.opennebula.oned import Oned
from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
from stratuslab.sandbox.pdisk.disks import DiskStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.pdisk.disks import Disk


class Location:
    """A cloud: `oned` has the VMs, `disks` the persistent disks, `catalogue` the Marketplace's images."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        boot_seconds: float,
        hosts: Sequence[Host],
        networks: Sequence[VirtualNetwork],
    ) -> None:
        self.name = name
        self.cloud = defaults.CLOUD
        self.clock = clock
        self.disks = DiskStore(clock)
        self.catalogue = default_catalogue(clock)
        transfer_manager = TransferManager(self.disks, self.catalogue)
        self.oned = Oned(hosts, networks, clock, transfer_manager, boot_seconds)

    def endpoints(self, url: str) -> dict[str, str]:
        """Return the URLs of the services by their names in the configuration file; `url` is the server's."""
        return {
            "endpoint": f"{url}/{self.name}/one-proxy/xmlrpc",
            "pdisk_endpoint": f"{url}/{self.name}/pdisk",
            "marketplace_endpoint": f"{url}/{self.name}/marketplace",
        }

    def settings(self) -> dict[str, str]:
        """Return what the configuration file says of this cloud beside its URLs."""
        return {"name": f"StratusLab at {self.name}"}

    def contents(self) -> dict[str, object]:
        """Return the VMs, volumes and images that there are, for the control."""
        with self.oned.lock:
            self.oned.advance()
            vms = [_vm(vm) for vm in self.oned.state.vms.values() if vm.state != VmState.DONE]
        with self.disks.lock:
            volumes = [
                {**_volume(disk), "vms": [mount.vm_id for mount in self.disks.mounts(disk.uuid)]}
                for disk in self.disks.disks()
                if not disk.quarantine
            ]
        images = [entry.identifier for entry in self.catalogue.entries()]
        return {"vms": vms, "volumes": volumes, "images": images}

    def recover(self) -> None:
        """Work out what is not written into a state file."""
        self.oned.state.recover_leases()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let nothing change at the location; no operation is half done meanwhile."""
        with self.oned.lock, self.disks.lock, self.catalogue.lock:
            yield


def _vm(vm: VirtualMachine) -> dict[str, object]:
    owner = vm.owner.login
    return {"id": vm.id, "name": vm.name, "owner": owner, "state": vm.state, "lcm_state": vm.lcm_state}


def _volume(disk: Disk) -> dict[str, object]:
    return {"uuid": disk.uuid, "tag": disk.tag, "owner": disk.owner, "size_gib": disk.size_gib}
