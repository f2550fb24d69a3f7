"""How OpenNebula 3.2, with StratusLab's patches, makes a virtual machine of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from stratuslab.sandbox.opennebula.model.images import image_named
from stratuslab.sandbox.opennebula.model.names import NAME_LIMIT
from stratuslab.sandbox.opennebula.model.networks import NoLeaseError, connect
from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
from stratuslab.sandbox.opennebula.model.vm_document import document
from stratuslab.sandbox.opennebula.template.variables import VariableError, replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from stratuslab.sandbox.opennebula.model.images import OneImage
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.template.template import Template

_VNC_BASE_PORT = 5900


class AllocationError(Exception):
    """A template that no VM can be made of; the text is OpenNebula's."""


class RestrictedAttributeError(Exception):
    """A template with an attribute that only oneadmin may give; the text is its name."""


def allocate(
    template: Template,
    vm_id: int,
    owner: User,
    networks: Collection[VirtualNetwork],
    images: Iterable[OneImage],
    now: float,
) -> VirtualMachine:
    """Make a VM with all that it needs; raises AllocationError, RestrictedAttributeError.

    The template becomes the VM's. After an error it holds no address of the networks.
    """
    if not owner.is_admin and any("VLAN_ID" in nic for nic in template.vectors("NIC")):
        raise RestrictedAttributeError("NIC/VLAN_ID")
    name = template.single("NAME") or f"one-{vm_id}"
    if len(name.encode()) > NAME_LIMIT:
        raise AllocationError(f"NAME is too long; max length is {NAME_LIMIT} chars.")
    template.replace("VMID", str(vm_id))
    if not template.single("NAME"):
        template.replace("NAME", name)
    vm = VirtualMachine(vm_id, owner, name, template, int(now), ignores_acpi=_is_without_acpi(template))
    try:
        _connect(vm, networks)
        _complete_disks(template, images, owner)
        _complete_context(template, owner)
        _complete_requirements(template, owner)
        _complete_graphics(template, vm_id)
        _check_document(vm)
    except AllocationError:
        for network in networks:
            network.release(vm_id)
        raise
    return vm


def _connect(vm: VirtualMachine, networks: Collection[VirtualNetwork]) -> None:
    try:
        for nic in vm.template.vectors("NIC"):
            connect(nic, networks, vm.id, vm.owner)
    except NoLeaseError as error:
        raise AllocationError("Could not get virtual network for VM.") from error


def _is_without_acpi(template: Template) -> bool:
    return any(features.get("ACPI", "").lower() == "no" for features in template.vectors("FEATURES"))


def _complete_disks(template: Template, images: Iterable[OneImage], owner: User) -> None:
    for number, disk in enumerate(template.vectors("DISK")):
        if "IMAGE" in disk or "IMAGE_ID" in disk:
            image = image_named(disk, images, owner)
            if image is None:
                raise AllocationError("Could not get disk image for VM.")
            image.complete(disk)
        disk["DISK_ID"] = str(number)
        if disk.get("TYPE", "").upper() == "SWAP":
            disk.setdefault("TARGET", "hdd")


def _complete_context(template: Template, owner: User) -> None:
    contexts = template.values("CONTEXT")
    if len(contexts) > 1:
        raise AllocationError("Only one CONTEXT attribute can be defined.")
    for context in contexts:
        if isinstance(context, str):
            raise AllocationError("Wrong format for CONTEXT attribute.")
        context.update({name: _replaced(text, template, owner) for name, text in context.items()})
        context.setdefault("TARGET", "hdb")


def _complete_requirements(template: Template, owner: User) -> None:
    requirements = template.values("REQUIREMENTS")
    if len(requirements) > 1:
        raise AllocationError("Only one REQUIREMENTS attribute can be defined.")
    for requirement in requirements:
        if not isinstance(requirement, str):
            raise AllocationError("Wrong format for REQUIREMENTS attribute.")
        template.replace("REQUIREMENTS", _replaced(requirement, template, owner))


def _replaced(text: str, template: Template, owner: User) -> str:
    try:
        return replaced(text, template, owner.uid)
    except VariableError as error:
        raise AllocationError(str(error)) from error


def _complete_graphics(template: Template, vm_id: int) -> None:
    for graphics in template.vectors("GRAPHICS")[:1]:
        graphics.setdefault("PORT", str(_VNC_BASE_PORT + vm_id))


def _check_document(vm: VirtualMachine) -> None:
    try:
        expat.ParserCreate().Parse(document(vm), True)
    except expat.ExpatError as error:
        raise AllocationError("Error transforming the VM to XML.") from error
