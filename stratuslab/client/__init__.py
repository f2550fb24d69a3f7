"""What a StratusLab cloud sees: one class a service, usable without Libcloud's objects.

>>> from stratuslab.client import Monitor, UserConfigurator
>>> cloud = UserConfigurator("stratuslab-user.cfg").cloud("my-cloud")       # doctest: +SKIP
>>> [vm.name for vm in Monitor(cloud).list_vms()]                           # doctest: +SKIP
"""

from stratuslab.client.cloud import Cloud, InstanceType
from stratuslab.client.config import UserConfigurator
from stratuslab.client.image_metadata import ImageMetadata
from stratuslab.client.marketplace import Marketplace
from stratuslab.client.monitor import Monitor
from stratuslab.client.persistent_disk import Disk, Mount, PersistentDisk
from stratuslab.client.runner import Runner
from stratuslab.client.vm import VirtualMachine
from stratuslab.client.vm_states import VmState
from stratuslab.client.vm_template import ImageDescription, VmTemplate, Vnc

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
