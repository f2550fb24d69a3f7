"""What is inside running virtual machines: their addresses, keys and volumes."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.states import LcmState
from stratuslab.sandbox.opennebula_location import OpenNebulaLocation
from stratuslab.sandbox.pdisk.disks import STATIC_DEVICE

if TYPE_CHECKING:
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.opennebula.current.objects import Vm
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.opennebula.template.template import Template

_MIB_IN_GIB = 1024
_TARGET = re.compile(r"[a-z]{2,8}")


@dataclass(frozen=True)
class Guest:
    """The system in a running VM: its addresses on this machine, and who may log in.

    `authorized_keys` is the text of an OpenSSH file of that name.
    """

    addresses: tuple[str, ...]
    authorized_keys: str


@dataclass(frozen=True)
class Volume:
    """A volume in a VM; `uuid` is the name of its content, `size_gib` its size."""

    uuid: str
    size_gib: int


def running_guests(location: Location | OpenNebulaLocation) -> dict[int, Guest]:
    """Return what is inside the VMs of a location that are RUNNING now, by their ids."""
    with location.oned.lock:
        location.oned.advance()
        return {
            vm.id: Guest(tuple(_addresses(vm)), _authorized_keys(vm.template))
            for vm in location.oned.vms.values()
            if vm.is_active(LcmState.RUNNING)
        }


def attached_volumes(location: Location | OpenNebulaLocation, vm_id: int) -> dict[str, Volume]:
    """Return the volumes that a VM has now, by their targets: `vdc`, `vdz` and so on.

    Copies of images that were made for this VM alone do not count.
    """
    if isinstance(location, OpenNebulaLocation):
        return _datablocks(location, vm_id)
    with location.at_rest():
        vm = location.oned.vms.get(vm_id)
        volumes: dict[str, Volume] = {}
        if vm is None:
            return volumes
        for mount in location.disks.mounts_on(str(vm_id)):
            target = _static_target(vm, mount.disk) if mount.device == STATIC_DEVICE else mount.device
            if not mount.snapshot and _TARGET.fullmatch(target):
                disk = location.disks.get(mount.disk)
                volumes[target] = Volume(disk.uuid, disk.size_gib)
        return volumes


def _datablocks(location: OpenNebulaLocation, vm_id: int) -> dict[str, Volume]:
    """Return the persistent images of a VM, without those that are being attached or detached."""
    with location.oned.lock:
        vm = location.oned.vms.get(vm_id)
        disks = vm.template.vectors("DISK") if vm else []
        return {
            disk["TARGET"]: Volume(
                f"{location.name}-image-{disk['IMAGE_ID']}", max(1, int(disk["SIZE"]) // _MIB_IN_GIB)
            )
            for disk in disks
            if disk.get("PERSISTENT") == "YES" and "ATTACH" not in disk and _TARGET.fullmatch(disk["TARGET"])
        }


def _addresses(vm: VirtualMachine | Vm) -> list[str]:
    leases = [nic["IP"] for nic in vm.template.vectors("NIC") if "NETWORK_ID" in nic and "IP" in nic]
    return [address for address in leases if IPv4Address(address).is_loopback]


def _authorized_keys(template: Template) -> str:
    keys = []
    for context in template.vectors("CONTEXT"):
        keys += [
            context.get("SSH_PUBLIC_KEY", ""),
            context.get("PUBLIC_KEY", ""),
            _decoded(context.get("CLOUD_INIT_AUTHORIZED_KEYS", "")),
        ]
    return "\n".join(keys)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except ValueError:
        return ""


def _static_target(vm: VirtualMachine, uuid: str) -> str:
    """Return the target that the template gives to a disk that was there at the start; empty if none."""
    targets = (
        disk.get("TARGET", "")
        for disk in vm.template.vectors("DISK")
        if disk.get("SOURCE", "").endswith(uuid)
    )
    return next(targets, "")
