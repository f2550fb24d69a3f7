"""How OpenNebula makes a VM of a template."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import check_variables, expanded
from stratuslab.sandbox.opennebula.current.objects import GROUPS, Vm
from stratuslab.sandbox.opennebula.current.quotas import usage_of
from stratuslab.sandbox.opennebula.current.restricted import first_changed, first_restricted
from stratuslab.sandbox.opennebula.model.names import fault_of_name
from stratuslab.sandbox.opennebula.model.states import BEING_MADE, LcmState, VmState
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, forbidden
from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, number

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.objects import Account
    from stratuslab.sandbox.opennebula.current.quotas import Quotas, Usage
    from stratuslab.sandbox.opennebula.current.requests.request import Request
    from stratuslab.sandbox.opennebula.releases import Release

_OF_THE_VM = (
    "AUTOMATIC_DS_REQUIREMENTS", "AUTOMATIC_NIC_REQUIREMENTS", "AUTOMATIC_REQUIREMENTS",
    "CLONING_TEMPLATE_ID", "CONTEXT", "CPU", "CPU_MODEL", "DISK", "EMULATOR", "FEATURES", "GRAPHICS",
    "HYPERV", "INPUT", "MEMORY", "MEMORY_MAX", "MEMORY_RESIZE_MODE", "NIC", "NIC_ALIAS", "NIC_DEFAULT",
    "NUMA_NODE", "OS", "PCI", "RAW", "SNAPSHOT", "SUBMIT_ON_HOLD", "TEMPLATE_ID", "TOPOLOGY", "TPM", "VCPU",
    "VCPU_MAX", "VIDEO", "VMID",
)  # fmt: skip
"""The attributes that OpenNebula keeps in TEMPLATE; all others are the user's."""

_NUMBERS = {"MEMORY": "integer", "CPU": "float or integer", "VCPU": "integer"}
_LAST_PORT = 65535
_SECURITY_GROUP = {"PROTOCOL": "ALL", "SECURITY_GROUP_ID": "0", "SECURITY_GROUP_NAME": "default"}
_VNC_BASE_PORT = 5900


class Allocation:
    """Makes VMs. Not thread-safe."""

    def __init__(self, books: Books, devices: Devices, quotas: Quotas, release: Release) -> None:
        self._books = books
        self._devices = devices
        self._quotas = quotas
        self._release = release

    def allocate(self, template: Template, request: Request, *, hold: bool) -> Vm:
        """Make a VM with all that it needs; raises RefusalError, and then nothing of it is left."""
        user = request.user
        name = template.single("NAME")
        if name and (fault := fault_of_name(name)):
            raise RefusalError(Code.INTERNAL, fault)
        vm = Vm(-1, user.uid, user.gid, name, stime=int(request.now), fails_in=request.driver)
        for attribute, value in template.copy().attributes:
            if attribute != "NAME":
                part = vm.template if attribute in _OF_THE_VM else vm.user_template
                part.attributes.append((attribute, value))
        self._check_numbers(vm, user)
        self._check_parts(vm)
        self._quotas.check(user, self._wanted(vm, user))
        vm.id = self._books.next_ids.next("vm")
        vm.name = name or f"one-{vm.id}"
        try:
            waits = self._add_disks(vm, user)
            self._add_nics(vm, user)
            self._add_context(vm, user)
        except RefusalError:
            self._undo(vm)
            raise
        self._books.next_ids.take("vm")
        self._finish(vm, hold=hold)
        if waits:
            vm.state = VmState.CLONING
        elif hold:
            vm.state = VmState.HOLD
        self._books.vms[vm.id] = vm
        return vm

    def refuse_restricted(self, template: Template, user: Account, what: str = "VM Template") -> None:
        """Refuse attributes that only administrators may give; `what` has them. Raises RefusalError."""
        if not self._release.raw_is_restricted and template.vectors("RAW"):
            raise RefusalError(Code.INTERNAL, "Invalid RAW section: unsupported TYPE")
        name = None if user.is_admin else first_restricted(template, self._release.restricted)
        if name is not None:
            raise forbidden(user, f"{what} includes a restricted attribute {name}.")

    def refuse_changed(
        self, changes: Template, base: Template, user: Account, what: str = "User Template"
    ) -> None:
        """Refuse changes that only administrators may make; `what` has them. Raises RefusalError."""
        if not self._release.raw_is_restricted and changes.vectors("RAW"):
            raise RefusalError(Code.INTERNAL, "Invalid RAW section: unsupported TYPE")
        name = None if user.is_admin else first_changed(changes, base, self._release.restricted)
        if name is not None:
            raise forbidden(user, f"{what} includes a restricted attribute {name}.")

    def refuse_update(self, changes: Template, base: Template, user: Account, prefix: str) -> None:
        """Refuse an update of what only administrators may change; raises RefusalError."""
        name = None if user.is_admin else first_changed(changes, base, self._release.restricted)
        if name is not None:
            text = f"{prefix}User Template includes a restricted attribute {name}"
            raise RefusalError(Code.INTERNAL, text)

    def update_context(self, vm: Vm) -> None:
        """Fill the VM's CONTEXT with what its NICs have now."""
        for context in vm.template.vectors("CONTEXT")[:1]:
            for name in [name for name in context if name.startswith("ETH")]:
                del context[name]
            if context.get("NETWORK", "").upper() == "YES":
                for nic in vm.template.vectors("NIC"):
                    if "NETWORK_ID" in nic:
                        context.update(self._devices.context_of(nic))

    def deployed(self, vm: Vm) -> None:
        """Fill in what a VM has once it is on a host."""
        vm.template.replace("TM_MAD_SYSTEM", "ssh")
        for disk in vm.template.vectors("DISK"):
            self._devices.fill_system(disk)
        for graphics in vm.template.vectors("GRAPHICS")[:1]:
            graphics.setdefault("PORT", str(_VNC_BASE_PORT + vm.id))

    def _check_numbers(self, vm: Vm, user: Account) -> None:
        for name, kind in _NUMBERS.items():
            given = vm.template.single(name)
            value = number(given)
            if (name == "VCPU" and not given) or (value and (name == "CPU" or "." not in given)):
                continue
            text = f"{name} attribute must be a positive {kind} value."
            is_negative = given.startswith("-") and number(given[1:]) is not None
            if name != "VCPU" and (is_negative or (self._release.memory_is_quota and value != 0)):
                raise forbidden(user, f"user [{user.uid}] {text}")
            raise RefusalError(Code.INTERNAL, text)

    def _check_parts(self, vm: Vm) -> None:
        """Refuse what a VM cannot have; raises RefusalError."""
        for graphics in vm.template.vectors("GRAPHICS"):
            port = graphics.get("PORT", "0")
            if not port.isdecimal() or int(port) > _LAST_PORT:
                raise RefusalError(Code.INTERNAL, "Wrong PORT number in GRAPHICS attribute")
        for os in vm.template.vectors("OS"):
            for device in filter(None, os.get("BOOT", "").split(",")):
                self._check_boots(vm, device.strip(), os["BOOT"])
        if vm.user_template.vectors("VMGROUP"):
            raise RefusalError(Code.INTERNAL, "Cannot find VM Group to associate the VM")

    def _check_boots(self, vm: Vm, device: str, order: str) -> None:
        kind, index = next(
            ((name, device[len(name) :]) for name in ("DISK", "NIC") if device.upper().startswith(name)),
            ("", ""),
        )
        if not index.isdecimal():
            text = f'Wrong OS/BOOT value: "{order}" should be a comma-separated list of disk# or nic#'
            raise RefusalError(Code.INTERNAL, text)
        if int(index) >= len(vm.template.vectors(kind)):
            text = f"Wrong OS/BOOT value. Device with {kind}_ID {index} not found"
            raise RefusalError(Code.INTERNAL, text)

    def _wanted(self, vm: Vm, user: Account) -> Usage:
        """Work out what the VM will take; wrong names of images and networks are refused later."""
        sketch = Vm(-1, vm.uid, vm.gid, "")
        for name, value in vm.template.copy().attributes:
            if isinstance(value, dict) and name in ("DISK", "NIC"):
                try:
                    self._fill_wanted(name, value, user)
                except RefusalError:
                    continue
            sketch.template.attributes.append((name, value))
        return usage_of(sketch)

    def _fill_wanted(self, name: str, vector: dict[str, str], user: Account) -> None:
        if name == "NIC":
            network = self._devices.network_of(vector, user)
            if network is not None:
                vector["NETWORK_ID"] = str(network.id)
        elif (image := self._devices.image_of(vector, user)) is not None:
            vector.update(IMAGE_ID=str(image.id), PERSISTENT="YES" if image.persistent else "NO")
            vector.setdefault("SIZE", str(image.size))

    def _add_disks(self, vm: Vm, user: Account) -> bool:
        """Fill in the disks; return whether the VM has to wait for one of their images."""
        waits = False
        for disk_id, disk in enumerate(vm.template.vectors("DISK")):
            try:
                image = self._devices.image_of(disk, user)
                if image is not None:
                    waits = waits or image.state in BEING_MADE
                    self._devices.acquire(image, vm)
                    disk["IMAGE_ID"] = str(image.id)
                self._devices.fill_disk(disk, disk_id, image, vm)
                if image is not None and image.state in BEING_MADE:
                    disk["CLONING"] = "YES"
            except RefusalError as refusal:
                if refusal.code == Code.AUTHORIZATION:
                    raise
                raise RefusalError(refusal.code, f"DISK {disk_id}: {refusal}") from refusal
        return waits

    def _add_nics(self, vm: Vm, user: Account) -> None:
        nics = vm.template.vectors("NIC")
        for nic_id, nic in enumerate(nics):
            self._devices.fill_nic(nic, nic_id, self._devices.network_of(nic, user), vm)
        for nic_id, alias in enumerate(vm.template.vectors("NIC_ALIAS"), len(nics)):
            parent = next((nic for nic in nics if nic["NAME"] == alias.get("PARENT", "")), None)
            if parent is None:
                text = f"NIC named {alias.get('PARENT', '')} not found for alias"
                raise RefusalError(Code.INTERNAL, text)
            siblings = [text for text in parent.get("ALIAS_IDS", "").split(",") if text]
            alias.setdefault("NAME", f"NIC{parent['NIC_ID']}_ALIAS{len(siblings) + 1}")
            self._devices.fill_nic(alias, nic_id, self._devices.network_of(alias, user), vm)
            alias.update(ALIAS_ID=str(len(siblings)), PARENT_ID=parent["NIC_ID"])
            parent["ALIAS_IDS"] = ",".join([*siblings, str(nic_id)])

    def _add_context(self, vm: Vm, user: Account) -> None:
        known = {
            "NAME": vm.name,
            "VMID": str(vm.id),
            "UID": str(user.uid),
            "UNAME": user.name,
            "GID": str(user.gid),
            "GNAME": GROUPS[user.gid],
        }
        whole = Template([*vm.template.attributes, *vm.user_template.attributes])
        for context in vm.template.vectors("CONTEXT")[:1]:
            context["DISK_ID"] = str(len(vm.template.vectors("DISK")))
            context.setdefault("TARGET", self._devices.free_target(vm, "hd"))
            try:
                check_variables(context)
            except TemplateError as error:
                raise RefusalError(Code.INTERNAL, str(error)) from error
            for name, text in context.items():
                context[name] = expanded(text, whole, user.template, known)
        self.update_context(vm)

    def _undo(self, vm: Vm) -> None:
        self._devices.give_back(vm)
        for disk in vm.template.vectors("DISK"):
            if "IMAGE_ID" in disk and "DISK_ID" in disk:
                self._devices.release_image(int(disk["IMAGE_ID"]), vm)

    def _finish(self, vm: Vm, *, hold: bool) -> None:
        template = vm.template
        has_disk = any("IMAGE_ID" in disk for disk in template.vectors("DISK"))
        has_nic = any("NETWORK_ID" in nic for nic in template.vectors("NIC"))
        cluster = "(CLUSTER_ID = 0) & " if has_disk or has_nic else ""
        hosts = f"{cluster}{self._release.host_requirement}!(PIN_POLICY = PINNED)"
        template.replace("AUTOMATIC_REQUIREMENTS", hosts)
        if has_disk or has_nic:
            template.replace("AUTOMATIC_DS_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
            template.replace("AUTOMATIC_NIC_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
        if has_nic:
            for rule in ("OUTBOUND", "INBOUND"):
                template.attributes.append(("SECURITY_GROUP_RULE", {**_SECURITY_GROUP, "RULE_TYPE": rule}))
        for os in template.vectors("OS"):
            for order, device in enumerate(os.get("BOOT", "").split(","), 1):
                for index, vector in enumerate(template.vectors(device.rstrip("0123456789").upper())):
                    if device.endswith(str(index)):
                        vector["ORDER"] = str(order)
        if self._release.has_uuids:
            os = next(iter(template.vectors("OS")), {})
            template.replace("OS", {**os, "UUID": str(uuid.uuid4())})
        if hold:
            template.replace("SUBMIT_ON_HOLD", "YES")
        template.replace("VMID", str(vm.id))
        vm.lcm_state = LcmState.LCM_INIT
