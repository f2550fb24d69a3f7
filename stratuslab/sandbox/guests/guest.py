"""What there is inside of running virtual machines: their addresses, keys and volumes."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.virtual_machine import LcmState
from stratuslab.sandbox.pdisk.disks import STATIC_DEVICE

if TYPE_CHECKING:
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.opennebula.template.template import Template
    from stratuslab.sandbox.pdisk.disks import Disk

_TARGET = re.compile(r"[a-z]{2,8}")


@dataclass(frozen=True)
class Guest:
    """The system in a running VM: those of its addresses which are on this machine, and who may log in.

    `authorized_keys` is the text of an OpenSSH file of that name.
    """

    addresses: tuple[str, ...]
    authorized_keys: str


def running_guests(location: Location) -> dict[int, Guest]:
    """Return what is in those VMs of a location which are RUNNING now, by their ids."""
    with location.oned.lock:
        location.oned.advance()
        return {
            vm.id: Guest(tuple(_addresses(vm)), _authorized_keys(vm.template))
            for vm in location.oned.state.vms.values()
            if vm.is_active(LcmState.RUNNING)
        }


def attached_volumes(location: Location, vm_id: int) -> dict[str, Disk]:
    """Return the volumes which a VM has now, by their targets: `vdc`, `vdz` and so on.

    The copies which were made of images for this VM alone are no volumes.
    """
    with location.at_rest():
        vm = location.oned.state.vms.get(vm_id)
        volumes: dict[str, Disk] = {}
        if vm is None:
            return volumes
        for mount in location.disks.mounts_on(str(vm_id)):
            target = _static_target(vm, mount.disk) if mount.device == STATIC_DEVICE else mount.device
            if not mount.snapshot and _TARGET.fullmatch(target):
                volumes[target] = location.disks.get(mount.disk)
        return volumes


def _addresses(vm: VirtualMachine) -> list[str]:
    leases = [nic["IP"] for nic in vm.template.vectors("NIC") if "NETWORK_ID" in nic and "IP" in nic]
    return [address for address in leases if IPv4Address(address).is_loopback]


def _authorized_keys(template: Template) -> str:
    keys = []
    for context in template.vectors("CONTEXT"):
        keys += [context.get("PUBLIC_KEY", ""), _decoded(context.get("CLOUD_INIT_AUTHORIZED_KEYS", ""))]
    return "\n".join(keys)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except ValueError:
        return ""


def _static_target(vm: VirtualMachine, uuid: str) -> str:
    """Return the target which the template gives a disk that was there at the start; empty if none."""
    targets = (
        disk.get("TARGET", "")
        for disk in vm.template.vectors("DISK")
        if disk.get("SOURCE", "").endswith(uuid)
    )
    return next(targets, "")
