"""Starting a machine from the Marketplace's images and from PDisk's disks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from stratuslab.client.errors import ArgumentNotOfferedError, InvalidArgumentError
from stratuslab.client.marketplace.image_metadata import is_image_id
from stratuslab.client.opennebula.vm_template import DISK_BUSES, NETWORKS, VmTemplate
from stratuslab.client.pdisk.disk import is_disk_id, source_of_disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.kinds.offers import MachineRequest
    from stratuslab.client.marketplace.marketplace import Marketplace
    from stratuslab.client.opennebula.runner import Runner
    from stratuslab.client.opennebula.vm import VirtualMachine
    from stratuslab.client.opennebula.vm_template import DiskBus
    from stratuslab.client.opennebula.vm_template import Network as NetworkName

__all__ = ["MarketplaceStarter"]

_BUS_OF: Mapping[str, DiskBus] = {bus: bus for bus in DISK_BUSES}
_NETWORK_OF: Mapping[str, NetworkName] = {name: name for name in NETWORKS}


class MarketplaceStarter:
    """Starts machines from the Marketplace's images and from disks."""

    def __init__(self, cloud: Cloud, marketplace: Marketplace, runner: Runner) -> None:
        self._cloud = cloud
        self._marketplace = marketplace
        self._runner = runner

    def start(self, request: MachineRequest) -> VirtualMachine:
        """Start a machine (``one.vm.allocate``, never sent twice).

        What is wrong is refused before the Marketplace is asked for a bare identifier (``GET /metadata/ID``).
        """
        if request.attributes:
            raise ArgumentNotOfferedError(
                "StratusLab's clouds take no further attributes; leave it out", argument="ex_template"
            )
        template = self._without_image_settings(request)
        template.text()
        return self._runner.start_vm(self._with_image_settings(template, request))

    def _without_image_settings(self, request: MachineRequest) -> VmTemplate:
        return VmTemplate(
            source=self._source_of_image(*request.image, "image"),
            cpu=request.cpu,
            ram_mib=request.ram_mib,
            swap_mib=request.swap_mib,
            name=request.name,
            cpu_share=request.cpu_share,
            disk_bus=request.disk_bus or "ide",
            disk_format="raw",
            volatile_disk_mib=request.volatile_disk_mib,
            volumes=[source_of_disk(self._cloud, uuid) for uuid in request.volumes],
            readonly_images=[
                self._source_of_image(*image, "ex_readonly_images") for image in request.readonly_images
            ],
            network=_network_of(request.networks, request.networks_argument),
            ip_address=request.ip_address,
            requirements=request.requirements,
            public_keys=request.public_keys,
            context=request.context,
            context_method=request.context_method or self._cloud.context_method,
            user_data=request.user_data,
            kernel=request.kernel,
            initrd=request.initrd,
            raw_data=request.raw_data,
            vnc=request.vnc,
            save_as=request.save_as,
            metadata=request.metadata,
            token=request.token,
        )

    def _with_image_settings(self, template: VmTemplate, request: MachineRequest) -> VmTemplate:
        """Return the template with what the image asks for; a bare identifier is looked up."""
        identifier, settings = request.image
        if "checksums" not in settings:
            if not is_image_id(identifier):
                return template
            entry = self._marketplace.image(identifier)
            settings = {
                "disks_bus": entry.disks_bus,
                "format": entry.format,
                "inbound_ports": entry.inbound_ports,
            }
        bus = str(settings.get("disks_bus") or "").lower()
        return dataclasses.replace(
            template,
            disk_bus=request.disk_bus or _BUS_OF.get(bus, "ide"),
            disk_format=settings.get("format") or "raw",
            inbound_ports=tuple(settings.get("inbound_ports") or ()),
        )

    def _source_of_image(self, identifier: object, extra: Mapping[str, Any], argument: str) -> str:
        """Return what a disk is made from, without asking anybody."""
        if "url" in extra and "checksums" in extra:
            return str(extra["url"])
        if isinstance(identifier, str) and is_image_id(identifier):
            return self._marketplace.url_of(identifier)
        if isinstance(identifier, str) and is_disk_id(identifier):
            stated = extra.get("location")
            if isinstance(stated, str) and stated != self._cloud.location:
                raise InvalidArgumentError(
                    f"found a volume of {stated!r}; give one of list_volumes({self._cloud.location!r})",
                    argument=argument,
                )
            return source_of_disk(self._cloud, identifier)
        if isinstance(identifier, str) and identifier.lower().startswith(("http://", "https://")):
            return identifier
        raise InvalidArgumentError(
            f"found the id {identifier!r}; at {self._cloud.location!r}, a StratusLab cloud, give a "
            f"Marketplace identifier (27 characters) of list_images({self._cloud.location!r}), the UUID of a "
            "volume, or a URL",
            argument=argument,
        )


def _network_of(networks: Sequence[str], argument: str) -> NetworkName:
    """Return the one network of a list, the public one where there is no list."""
    if not networks:
        return "public"
    known = _NETWORK_OF.get(networks[0]) if len(networks) == 1 else None
    if known is None:
        found = networks[0] if len(networks) == 1 else list(networks)
        raise InvalidArgumentError(f"found {found!r}; use {', '.join(NETWORKS)}", argument=argument)
    return known
