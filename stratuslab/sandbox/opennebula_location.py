"""One OpenNebula cloud of a release from 5.12 on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.oned import CurrentOned
from stratuslab.sandbox.opennebula.model.states import ImageType, VmState
from stratuslab.sandbox.opennebula.releases import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork


class OpenNebulaLocation:
    """A cloud with one service; `oned` has the VMs, images, volumes, networks and VM templates."""

    def __init__(
        self,
        name: str,
        cloud: str,
        users: Mapping[str, str],
        clock: Clock,
        boot_seconds: float,
        hosts: Sequence[Host],
        networks: Sequence[VirtualNetwork],
    ) -> None:
        self.name = name
        self.cloud = cloud
        self.clock = clock
        self.oned = CurrentOned(RELEASES[cloud], hosts, networks, users, clock, boot_seconds)

    def endpoints(self, url: str) -> dict[str, str]:
        """Return the URL of the service by its name in the configuration file; `url` is the server's."""
        return {"endpoint": f"{url}/{self.name}/RPC2"}

    def settings(self) -> dict[str, str]:
        """Return what the configuration file says of this cloud beside its URL."""
        networks = self.oned.books.networks
        return {"name": f"OpenNebula at {self.name}", "default_network": networks[min(networks)].name}

    def contents(self) -> dict[str, object]:
        """Return the VMs, volumes and images that there are, for the control."""
        with self.oned.lock:
            self.oned.advance()
            books = self.oned.books
            vms = [
                {
                    "id": vm.id,
                    "name": vm.name,
                    "owner": books.uname(vm.uid),
                    "state": int(vm.state),
                    "lcm_state": int(vm.lcm_state),
                }
                for vm in books.vms.values()
                if vm.state != VmState.DONE
            ]
            volumes = [
                {
                    "id": image.id,
                    "name": image.name,
                    "owner": books.uname(image.uid),
                    "size_mib": image.size,
                    "state": int(image.state),
                    "vms": [*image.vms],
                }
                for image in books.images.values()
                if image.type == ImageType.DATABLOCK
            ]
            images = [image.name for image in books.images.values() if image.type != ImageType.DATABLOCK]
        return {"vms": vms, "volumes": volumes, "images": images}

    def recover(self) -> None:
        """Work out what is not written into a state file."""
        self.oned.recover()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let nothing change at the location; no operation is half done then."""
        with self.oned.lock:
            yield
