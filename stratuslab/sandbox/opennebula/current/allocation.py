"""How OpenNebula makes a VM of a template."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import expanded, fault_of_name, number
from stratuslab.sandbox.opennebula.current.objects import Vm
from stratuslab.sandbox.opennebula.current.quotas import usage_of
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError, forbidden
from stratuslab.sandbox.opennebula.current.states import ImageState, LcmState, VmState
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.objects import Account
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.releases import Release

OF_THE_VM = [
    "CLONING_TEMPLATE_ID",
    "CONTEXT",
    "CPU",
    "DISK",
    "FEATURES",
    "GRAPHICS",
    "HYPERV",
    "INPUT",
    "MEMORY",
    "NIC",
    "NIC_ALIAS",
    "NIC_DEFAULT",
    "NUMA_NODE",
    "OS",
    "PCI",
    "RAW",
    "SNAPSHOT",
    "SUBMIT_ON_HOLD",
    "TEMPLATE_ID",
    "TOPOLOGY",
    "VCPU",
    "VMID",
    "VIDEO",
    "CPU_MODEL",
    "EMULATOR",
    "TPM",
    "MEMORY_MAX",
    "VCPU_MAX",
    "MEMORY_RESIZE_MODE",
    "AUTOMATIC_REQUIREMENTS",
    "AUTOMATIC_DS_REQUIREMENTS",
    "AUTOMATIC_NIC_REQUIREMENTS",
]
"""The attributes that OpenNebula keeps in TEMPLATE; all others are the user's."""

_RESTRICTED = {
    "NIC": ("MAC", "VLAN_ID", "BRIDGE", "FILTER"),
    "CONTEXT": ("FILES",),
    "DISK": ("TOTAL_BYTES_SEC", "ORIGINAL_SIZE", "SIZE_PREV"),
    "OS": ("KERNEL_DS", "INITRD_DS"),
}
_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_VNC_BASE_PORT = 5900


class Allocation:
    """Makes VMs. Not thread-safe."""

    def __init__(self, books: Books, devices: Devices, quotas: Quotas, release: Release) -> None:
        self._books = books
        self._devices = devices
        self._quotas = quotas
        self._release = release

    def allocate(self, template: Template, user: Account, now: float, *, hold: bool) -> Vm:
        """Make a VM with all that it needs; raises RefusalError, and nothing is left of it then."""
        self.refuse_restricted(template, user)
        name = template.single("NAME")
        if name and (fault := fault_of_name(name)):
            raise RefusalError(Code.INTERNAL, fault)
        vm = Vm(-1, user.id, user.gid, name, stime=int(now))
        for attribute, value in template.attributes:
            if attribute == "NAME":
                continue
            part = vm.template if attribute in OF_THE_VM else vm.user_template
            part.attributes.append((attribute, dict(value) if isinstance(value, dict) else value))
        self._check_numbers(vm, user)
        self._quotas.check(user, self._wanted(vm, user))
        vm.id = self._books.next_ids.get("vm", 0)
        vm.name = name or f"one-{vm.id}"
        try:
            waits = self._add_disks(vm, user)
            self._add_nics(vm, user)
            self._add_context(vm, user)
        except RefusalError:
            self.undo(vm)
            raise
        self._books.new_id("vm")
        self._finish(vm, hold=hold)
        if waits:
            vm.state = VmState.CLONING
        elif hold:
            vm.state = VmState.HOLD
        self._books.vms[vm.id] = vm
        return vm

    def undo(self, vm: Vm) -> None:
        """Take back what a VM was given."""
        self._devices.give_back(vm)
        for disk in vm.template.vectors("DISK"):
            if "IMAGE_ID" in disk and "DISK_ID" in disk:
                self._devices.release_image(int(disk["IMAGE_ID"]), vm)

    def refuse_restricted(self, template: Template, user: Account) -> None:
        """Refuse attributes that only administrators may give; raises RefusalError."""
        restricted = dict(_RESTRICTED)
        if self._release.raw_is_restricted:
            restricted["RAW"] = ("DATA",)
        elif template.vectors("RAW"):
            raise RefusalError(Code.INTERNAL, "Invalid RAW section: unsupported TYPE")
        for name, parts in restricted.items():
            for vector in template.vectors(name):
                for part in parts:
                    if part in vector and not user.is_admin:
                        text = f"VM Template includes a restricted attribute {part}."
                        raise forbidden(user, text)

    def update_context(self, vm: Vm) -> None:
        """Fill the VM's CONTEXT with what its NICs have now."""
        for context in vm.template.vectors("CONTEXT")[:1]:
            kept = {name: text for name, text in context.items() if not name.startswith("ETH")}
            context.clear()
            context.update(kept)
            if context.get("NETWORK", "").upper() == "YES":
                for nic in vm.template.vectors("NIC"):
                    if "NETWORK_ID" in nic:
                        context.update(self._devices.context_of(nic))

    def _check_numbers(self, vm: Vm, user: Account) -> None:
        memory = number(vm.template.single("MEMORY"))
        if not memory:
            text = "MEMORY attribute must be a positive integer value."
            if self._release.memory_is_quota:
                raise forbidden(user, f"user [{user.id}] {text}")
            raise RefusalError(Code.INTERNAL, text)
        if not number(vm.template.single("CPU")):
            text = "CPU attribute must be a positive float or integer value."
            if self._release.memory_is_quota:
                raise forbidden(user, f"user [{user.id}] {text}")
            raise RefusalError(Code.INTERNAL, text)

    def _wanted(self, vm: Vm, user: Account) -> dict[tuple[str, str, str], float]:
        """Work out what the VM will take; what its disks and NICs name wrongly is refused later."""
        sketch = Vm(-1, vm.uid, vm.gid, "", template=Template([*vm.template.attributes]))
        for name in ("DISK", "NIC"):
            sketch.template.attributes = [a for a in sketch.template.attributes if a[0] != name]
        for disk in vm.template.vectors("DISK"):
            try:
                image = self._devices.image_of(disk, user)
            except RefusalError:
                continue
            filled = dict(disk)
            if image is not None:
                filled.update(IMAGE_ID=str(image.id), PERSISTENT="YES" if image.persistent else "NO")
                filled.setdefault("SIZE", str(image.size))
            sketch.template.attributes.append(("DISK", filled))
        for nic in vm.template.vectors("NIC"):
            try:
                network = self._devices.network_of(nic, user)
            except RefusalError:
                continue
            if network is not None:
                sketch.template.attributes.append(("NIC", {"NETWORK_ID": str(network.id)}))
        return usage_of(sketch)

    def _add_disks(self, vm: Vm, user: Account) -> bool:
        waits = False
        for disk_id, disk in enumerate(vm.template.vectors("DISK")):
            try:
                image = self._devices.image_of(disk, user)
                if image is not None:
                    waits = waits or image.state in _LOCKED
                    self._devices.acquire(image, vm)
                    disk["IMAGE_ID"] = str(image.id)
                self._devices.fill_disk(disk, disk_id, image, vm)
                if image is not None and image.state in _LOCKED:
                    disk["CLONING"] = "YES"
            except RefusalError as refusal:
                if refusal.code == Code.AUTHORIZATION:
                    raise
                raise RefusalError(refusal.code, f"DISK {disk_id}: {refusal}") from refusal
        vm.next_disk = len(vm.template.vectors("DISK"))
        return waits

    def _add_nics(self, vm: Vm, user: Account) -> None:
        nics = vm.template.vectors("NIC")
        for number_, nic in enumerate(nics):
            self._devices.fill_nic(nic, number_, self._devices.network_of(nic, user), vm)
        for number_, alias in enumerate(vm.template.vectors("NIC_ALIAS")):
            parent = next((n for n in nics if n["NAME"] == alias.get("PARENT", "")), None)
            if parent is None:
                raise RefusalError(
                    Code.INTERNAL, f"NIC_ALIAS: parent NIC {alias.get('PARENT', '')} not found"
                )
            nic_id = len(nics) + number_
            siblings = [text for text in parent.get("ALIAS_IDS", "").split(",") if text]
            alias.setdefault("NAME", f"NIC{parent['NIC_ID']}_ALIAS{len(siblings) + 1}")
            self._devices.fill_nic(alias, nic_id, self._devices.network_of(alias, user), vm)
            alias.update(ALIAS_ID=str(len(siblings)), PARENT_ID=parent["NIC_ID"])
            parent["ALIAS_IDS"] = ",".join([*siblings, str(nic_id)])
        vm.next_nic = len(nics) + len(vm.template.vectors("NIC_ALIAS"))

    def _add_context(self, vm: Vm, user: Account) -> None:
        known = {"NAME": vm.name, "VMID": str(vm.id), "UID": str(user.id), "UNAME": user.name}
        for context in vm.template.vectors("CONTEXT")[:1]:
            for name, text in context.items():
                context[name] = expanded(text, vm.template, user.template, known)
            context["DISK_ID"] = str(vm.next_disk)
            context.setdefault("TARGET", self._devices.free_target(vm, "hd"))
            vm.next_disk += 1
        self.update_context(vm)

    def _finish(self, vm: Vm, *, hold: bool) -> None:
        template = vm.template
        has_disk = any("IMAGE_ID" in disk for disk in template.vectors("DISK"))
        has_nic = any("NETWORK_ID" in nic for nic in template.vectors("NIC"))
        cluster = "(CLUSTER_ID = 0) & " if has_disk or has_nic else ""
        public = self._release.public_cloud.removeprefix("" if cluster else " & ")
        if cluster:
            public = public.removeprefix(" & ")
        rest = f"{public} & " if public else ""
        template.replace("AUTOMATIC_REQUIREMENTS", f"{cluster}{rest}!(PIN_POLICY = PINNED)")
        if has_disk or has_nic:
            template.replace("AUTOMATIC_DS_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
            template.replace("AUTOMATIC_NIC_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
        if has_nic:
            for rule in ("OUTBOUND", "INBOUND"):
                template.attributes.append(
                    (
                        "SECURITY_GROUP_RULE",
                        {
                            "PROTOCOL": "ALL",
                            "RULE_TYPE": rule,
                            "SECURITY_GROUP_ID": "0",
                            "SECURITY_GROUP_NAME": "default",
                        },
                    )
                )
        for os in template.vectors("OS"):
            for order, device in enumerate(os.get("BOOT", "").split(",")):
                for number_, vector in enumerate(template.vectors(device.rstrip("0123456789").upper())):
                    if device.endswith(str(number_)):
                        vector["ORDER"] = str(order + 1)
        if self._release.has_uuids:
            os = next(iter(template.vectors("OS")), {})
            template.replace("OS", {**os, "UUID": str(uuid.uuid4())})
        if hold:
            template.replace("SUBMIT_ON_HOLD", "YES")
        template.replace("VMID", str(vm.id))
        vm.lcm_state = LcmState.LCM_INIT

    def deployed(self, vm: Vm) -> None:
        """Fill in what a VM has once it is on a host."""
        vm.template.replace("TM_MAD_SYSTEM", "ssh")
        for disk in vm.template.vectors("DISK"):
            self._devices.fill_system(disk)
        for graphics in vm.template.vectors("GRAPHICS")[:1]:
            graphics.setdefault("PORT", str(_VNC_BASE_PORT + vm.id))
