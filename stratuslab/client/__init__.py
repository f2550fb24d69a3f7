"""What a StratusLab cloud sees: one class a service, usable without Libcloud's objects.

>>> from stratuslab.client import Monitor, UserConfigurator
>>> cloud = UserConfigurator("stratuslab-user.cfg").cloud("my-cloud")       # doctest: +SKIP
>>> [vm.name for vm in Monitor(cloud).list_vms()]                           # doctest: +SKIP
"""

from stratuslab.client.configuration.cloud import Cloud, InstanceType
from stratuslab.client.configuration.user_configurator import UserConfigurator
from stratuslab.client.marketplace.image_metadata import ImageMetadata
from stratuslab.client.marketplace.marketplace import Marketplace
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.runner import Runner
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.opennebula.vm_template import ImageDescription, VmTemplate, Vnc
from stratuslab.client.pdisk.disk import Disk, Mount
from stratuslab.client.pdisk.persistent_disk import PersistentDisk

__all__ = [
    "Cloud",
    "Disk",
    "ImageDescription",
    "ImageMetadata",
    "InstanceType",
    "Marketplace",
    "Monitor",
    "Mount",
    "PersistentDisk",
    "Runner",
    "UserConfigurator",
    "VirtualMachine",
    "VmState",
    "VmTemplate",
    "Vnc",
]
