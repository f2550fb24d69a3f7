"""How machines start at OpenNebula from 5.12 on: from images, VM templates, networks and keys of its own."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from stratuslab.client.errors import ArgumentNotOfferedError, InvalidArgumentError, ServiceError
from stratuslab.client.kinds.pool_ids import TEMPLATE, is_number, number_of_image, template_of_size
from stratuslab.client.opennebula.launch import LaunchOptions, own_template, with_template
from stratuslab.client.opennebula.one_image import OneImage
from stratuslab.client.opennebula.vm_template import Vnc

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.kinds.offers import MachineRequest
    from stratuslab.client.opennebula.image_pool import ImagePool
    from stratuslab.client.opennebula.key_pairs import KeyPairs
    from stratuslab.client.opennebula.launch import Launch
    from stratuslab.client.opennebula.machine_template import MachineTemplate
    from stratuslab.client.opennebula.rpc import Rpc
    from stratuslab.client.opennebula.runner import Runner
    from stratuslab.client.opennebula.virtual_networks import VirtualNetworks
    from stratuslab.client.opennebula.vm import VirtualMachine

__all__ = ["PoolStarter"]

_NOT_KNOWN = {
    "readonly_images": "ex_readonly_images",
    "context_method": "ex_context_method",
    "kernel": "ex_kernel",
    "initrd": "ex_initrd",
    "raw_data": "ex_raw_data",
    "save_as": "ex_save_as",
}
"""Field of a request to the argument from which it comes, for what this kind of cloud does not know."""


class PoolStarter:
    """Starts machines from images and VM templates."""

    def __init__(
        self,
        cloud: Cloud,
        rpc: Rpc,
        runner: Runner,
        images: ImagePool,
        networks: VirtualNetworks,
        keys: KeyPairs,
    ) -> None:
        self._cloud = cloud
        self._rpc = rpc
        self._runner = runner
        self._images = images
        self._networks = networks
        self._keys = keys

    def start(self, request: MachineRequest) -> VirtualMachine:
        """Start a machine (``one.vm.allocate`` or ``one.template.instantiate``, never sent twice).

        Before, what is not known is asked for: the VM template, the image where its size or name matters, the
        networks by name, the key pair.
        """
        for field, argument in _NOT_KNOWN.items():
            if getattr(request, field):
                raise ArgumentNotOfferedError(
                    f"an OpenNebula cloud does not know this; leave it out at {self._cloud.location!r}",
                    argument=argument,
                )
        kind, number = number_of_image(request.image[0], "image", self._cloud, request.image[1])
        size_number = template_of_size(request.size_id)
        options = _options(request)
        options.check(self._rpc.front_end)
        if size_number is None and kind != TEMPLATE:
            make = partial(self._own_template, request, number)
        else:
            make = partial(self._instantiated, request, kind, number, size_number)
        started = self._runner.started(request.token)
        if started is not None:
            return started
        launch = make(self._with_key(request, options), request.token or uuid.uuid4().hex)
        try:
            return self._runner.start(launch, own_token=request.token is not None)
        except ServiceError:
            # The network may have been replaced by another one of its name.
            self._networks.forget_default()
            raise

    def _own_template(
        self, request: MachineRequest, number: int, options: LaunchOptions, token: str
    ) -> Launch:
        options = replace(options, networks=self._network_numbers(request) or [self._networks.default()])
        extra = request.image[1]
        known = extra.get("size_mib")
        if request.disk_mib and not isinstance(known, int):
            image = self._images.image(number)
        else:
            image = OneImage.accepted(number, str(number), size_mib=known or 0)
        return own_template(
            image, (request.cpu, request.ram_mib, request.swap_mib), options, self._rpc.front_end, token
        )

    def _instantiated(
        self,
        request: MachineRequest,
        kind: str,
        number: int,
        size_number: int | None,
        options: LaunchOptions,
        token: str,
    ) -> Launch:
        if kind == TEMPLATE:
            template, image = self._images.template(number), None
            options = replace(options, disk_mib=self._growth(template, options.disk_mib))
        else:
            template, image = self._images.template(size_number or 0), self._images.image(number)
        sizes: tuple[int | None, float | None, int] | None = None
        if kind == TEMPLATE and size_number != number:
            sizes = request.cpu, request.cpu_share or float(request.cpu), request.ram_mib
            if size_number is not None:
                other = self._images.template(size_number)
                sizes = other.cpu or 1, other.cpu_share, other.ram_mib
        networks = self._network_numbers(request)
        if not networks and not template.nics:
            networks = [self._networks.default()]
        return with_template(
            template, image, sizes, replace(options, networks=networks), self._rpc.front_end, token
        )

    def _growth(self, template: MachineTemplate, disk_mib: int) -> int:
        """Return the size to which the root disk is to grow, 0 if it is as large already."""
        if not disk_mib or template.root_place is None:
            return disk_mib
        disk = template.disks[template.root_place]
        number = disk.get("IMAGE_ID", "")
        if is_number(number):
            size = self._images.image(int(number)).size_mib
        else:
            named = (disk.get("IMAGE"), disk.get("IMAGE_UNAME"))
            images = self._images.list_images()
            size = next((image.size_mib for image in images if (image.name, image.owner) == named), 0)
        stated = disk.get("SIZE", "")
        size = max(size, int(stated) if is_number(stated) else 0)
        return disk_mib if disk_mib > size else 0

    def _network_numbers(self, request: MachineRequest) -> list[str]:
        return [self._networks.number_of(network, request.networks_argument) for network in request.networks]

    def _with_key(self, request: MachineRequest, options: LaunchOptions) -> LaunchOptions:
        if request.key_name is None:
            return options
        kept = self._keys.key(request.key_name).public_key
        return replace(options, public_keys="\n".join([options.public_keys or "", kept]))


def _options(request: MachineRequest) -> LaunchOptions:
    vnc = request.vnc
    if vnc is not None and not isinstance(vnc, Vnc):
        raise InvalidArgumentError(
            f"found a {type(vnc).__name__}; give a Vnc, or None for none", argument="ex_vnc"
        )
    return LaunchOptions(
        name=request.name,
        cpu_share=request.cpu_share,
        ip_address=request.ip_address,
        volumes=request.volumes,
        volatile_disk_mib=request.volatile_disk_mib,
        disk_mib=request.disk_mib,
        disk_bus=request.disk_bus,
        public_keys=request.public_keys,
        user_data=request.user_data,
        context=request.context,
        requirements=request.requirements,
        display=(vnc is not None) if request.vnc_is_given else None,
        vnc_port=vnc.port if vnc else None,
        vnc_listen=vnc.listen if vnc else None,
        metadata=request.metadata,
        attributes=request.attributes,
    )
