"""The requests about the disks and NICs of VMs: attach, detach, save, resize."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.objects import Image, Snapshots
from stratuslab.sandbox.opennebula.current.requests.request import changing
from stratuslab.sandbox.opennebula.current.ways import (
    POWEROFF,
    RUNNING,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
)
from stratuslab.sandbox.opennebula.model.states import (
    BEING_MADE,
    ImageType,
    LcmState,
    state_name,
)
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Vm
    from stratuslab.sandbox.opennebula.current.requests.images import ImageRequests
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.current.ways import Place
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.opennebula.template.template import Vector

_ATTACH = {RUNNING: LcmState.HOTPLUG, POWEROFF: LcmState.HOTPLUG_PROLOG_POWEROFF}
_DETACH = {RUNNING: LcmState.HOTPLUG, POWEROFF: LcmState.HOTPLUG_EPILOG_POWEROFF}
_NIC = {RUNNING: LcmState.HOTPLUG_NIC, POWEROFF: LcmState.HOTPLUG_NIC_POWEROFF}
_RESIZE = {RUNNING: LcmState.DISK_RESIZE, POWEROFF: LcmState.DISK_RESIZE_POWEROFF}
_SAVE = {
    RUNNING: LcmState.HOTPLUG_SAVEAS,
    POWEROFF: LcmState.HOTPLUG_SAVEAS_POWEROFF,
    SUSPENDED: LcmState.HOTPLUG_SAVEAS_SUSPENDED,
}
_SAVE_OFF_HOST = {
    UNDEPLOYED: LcmState.HOTPLUG_SAVEAS_UNDEPLOYED,
    STOPPED: LcmState.HOTPLUG_SAVEAS_STOPPED,
}


@dataclass(frozen=True)
class DeviceRequests:
    """Answers the requests about disks and NICs."""

    books: Books
    devices: Devices
    allocation: Allocation
    life_cycle: LifeCycle
    images: ImageRequests
    release: Release

    def __post_init__(self) -> None:
        self.life_cycle.events.update(
            {
                "attached": self._attached,
                "detached": self._detached,
                "nic-detached": self._nic_detached,
                "saved": partial(self._saved, failed=False),
                "save-failed": partial(self._saved, failed=True),
            }
        )

    def requests(self) -> Requests:
        """Return what answers each method."""
        return {
            "one.vm.attach": self._attach,
            "one.vm.detach": self._detach,
            "one.vm.attachnic": self._attach_nic,
            "one.vm.detachnic": changing(self.books.vms, "VM", self._detach_nic),
            "one.vm.disksaveas": self._save,
            "one.vm.diskresize": changing(self.books.vms, "VM", self._resize),
        }

    def _attach(self, request: Request) -> int:
        template = request.template(1)
        vm = self._vm_on_host(request)
        if self.release.busy_before_image:
            ready(vm, _ATTACH, "attach a new disk to")
        if not template.vectors("DISK"):
            raise RefusalError(Code.ACTION, "Internal error parsing DISK attribute")
        disk = dict(template.vectors("DISK")[0])
        try:
            image = self.devices.image_of(disk, request.user)
        except RefusalError as refusal:
            code = refusal.code if refusal.code == Code.AUTHORIZATION else Code.ACTION
            raise RefusalError(code, str(refusal)) from refusal
        self.allocation.refuse_restricted(template, request.user, "DISK")
        if image is not None and image.persistent and image.vms:
            text = f"Cannot acquire image {image.id}, it is persistent and already in use"
            raise RefusalError(Code.ACTION, text)
        if image is not None and image.state in BEING_MADE:
            raise RefusalError(Code.ACTION, f"Cannot acquire image {image.id}, it is locked")
        lcm_state = ready(vm, _ATTACH, "attach a new disk to")
        disk_id = _next(vm, ("DISK", "CONTEXT"), "DISK_ID")
        try:
            if image is not None:
                self.devices.acquire(image, vm)
            self.devices.fill_disk(disk, disk_id, image, vm)
        except RefusalError as refusal:
            if image is not None:
                self.devices.release_image(image.id, vm)
            raise RefusalError(Code.ACTION, str(refusal)) from refusal
        self.devices.fill_system(disk)
        disk.update(ATTACH="YES", TM_MAD_SYSTEM="ssh")
        vm.template.attributes.append(("DISK", disk))
        if image is not None and image.persistent and image.snapshots.snapshots:
            vm.disk_snapshots[str(disk_id)] = image.snapshots
        self.life_cycle.pause(
            vm, lcm_state, request, f"attached {disk_id}", f"detached {disk_id}", "disk-attach"
        )
        return vm.id

    def _attached(self, vm: Vm, _now: float, disk_id: str) -> None:
        disk = vm.disk(int(disk_id))
        if disk is not None:
            disk.pop("ATTACH", None)

    def _detach(self, request: Request) -> int:
        disk_id = request.arguments.integer(1)
        vm = self._vm_on_host(request)
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.ACTION, self.release.no_such_disk.format(disk_id))
        lcm_state = ready(vm, _DETACH, "detach disk from")
        disk["ATTACH"] = "YES"
        self.life_cycle.pause(
            vm, lcm_state, request, f"detached {disk_id}", f"attached {disk_id}", "disk-detach"
        )
        return vm.id

    def _detached(self, vm: Vm, _now: float, disk_id: str) -> None:
        disk = vm.disk(int(disk_id))
        if disk is not None:
            if "IMAGE_ID" in disk:
                self.life_cycle.let_go(vm, disk)
            vm.disk_snapshots.pop(disk_id, None)
            vm.template.remove(disk)

    def _attach_nic(self, request: Request) -> int:
        template = request.template(1)
        vm = self.books.vm(request.user, request.arguments.integer(0), "MANAGE")
        self.allocation.refuse_restricted(template, request.user, "NIC")
        lcm_state = ready(vm, _NIC, "add a new NIC to")
        if not template.vectors("NIC"):
            raise RefusalError(Code.ACTION, self.release.no_nic)
        nic = dict(template.vectors("NIC")[0])
        nic_id = _next(vm, ("NIC", "NIC_ALIAS"), "NIC_ID")
        try:
            self.devices.fill_nic(nic, nic_id, self.devices.network_of(nic, request.user), vm)
        except RefusalError as refusal:
            raise RefusalError(Code.ACTION, str(refusal)) from refusal
        vm.template.attributes.append(("NIC", nic))
        self.allocation.update_context(vm)
        self.life_cycle.pause(vm, lcm_state, request, failed=f"nic-detached {nic_id}", action="nic-attach")
        return vm.id

    def _detach_nic(self, request: Request, vm: Vm) -> None:
        nic_id = request.arguments.integer(1)
        if all(nic["NIC_ID"] != str(nic_id) for nic in vm.template.vectors("NIC")):
            raise RefusalError(Code.ACTION, f"Could not detach NIC with NIC_ID {nic_id}, it does not exist.")
        lcm_state = ready(vm, _NIC, "detach NIC from")
        self.life_cycle.pause(vm, lcm_state, request, f"nic-detached {nic_id}", action="nic-detach")

    def _nic_detached(self, vm: Vm, _now: float, nic_id: str) -> None:
        for nic in vm.template.vectors("NIC"):
            if nic["NIC_ID"] == nic_id:
                self.devices.give_back(vm, [nic])
                vm.template.remove(nic)
        self.allocation.update_context(vm)

    def _save(self, request: Request) -> int:
        disk_id, name = request.arguments.integer(1), request.arguments.string(2)
        kind = request.arguments.string(3, "").upper()
        vm = self._existing(request)
        named = vm.id if self.release.failures_name_object else -1
        states = _SAVE | _SAVE_OFF_HOST if self.release.saves_off_host else _SAVE
        lcm_state = states.get((vm.state, vm.lcm_state))
        if lcm_state is None:
            text = "VM has to be RUNNING, POWEROFF or SUSPENDED to save disks."
            raise RefusalError(Code.INTERNAL, text, named)
        vm = self.books.vm(request.user, vm.id, "MANAGE")
        try:
            image, disk = self._image_to_save(request, vm, disk_id, name, kind)
            self.images.add(image, request)
        except RefusalError as refusal:
            refusal.object_id = named
            raise
        image.due, image.hangs = None, True
        disk.update(HOTPLUG_SAVE_AS_ACTIVE="YES", HOTPLUG_SAVE_AS_SNAPSHOT_ID="-1")
        self.books.images[image.id] = image
        self.life_cycle.pause(vm, lcm_state, request, f"saved {image.id}", f"save-failed {image.id}")
        return image.id

    def _image_to_save(
        self, request: Request, vm: Vm, disk_id: int, name: str, kind: str
    ) -> tuple[Image, Vector]:
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.INTERNAL, "Cannot use DISK. DISK does not exist.")
        source = self.books.images.get(int(disk.get("IMAGE_ID", "-1")))
        if source is None:
            raise RefusalError(Code.INTERNAL, "Cannot use DISK. Volatile disks cannot be saved.")
        snapshot_id = request.arguments.integer(4, -1)
        if snapshot_id >= 0 and vm.disk_snapshots.get(str(disk_id), Snapshots()).find(snapshot_id) is None:
            raise RefusalError(Code.INTERNAL, "Cannot use DISK. Snapshot does not exist.")
        if kind not in ("", "OS", "CDROM", "DATABLOCK"):
            raise RefusalError(Code.ALLOCATE, "Error allocating a new image. Unknown type ")
        saved = {
            "DEV_PREFIX": disk["DEV_PREFIX"],
            "SAVED_DISK_ID": str(disk_id),
            "SAVED_IMAGE_ID": str(source.id),
            "SAVED_VM_ID": str(vm.id),
            "SAVE_AS_HOT": "YES",
        }
        image = Image(
            -1,
            request.user.uid,
            request.user.gid,
            name,
            type=int(ImageType[kind]) if kind else source.type,
            regtime=int(request.now),
            format=source.format,
            size=int(disk["SIZE"]),
            datastore_id=source.datastore_id,
            template=Template([*saved.items()]),
        )
        return image, disk

    def _saved(self, vm: Vm, now: float, image_id: str, *, failed: bool) -> None:
        self.life_cycle.saved(int(image_id), now, failed=failed)
        for disk in vm.template.vectors("DISK"):
            for name in ("HOTPLUG_SAVE_AS_ACTIVE", "HOTPLUG_SAVE_AS_SNAPSHOT_ID"):
                disk.pop(name, None)

    def _resize(self, request: Request, vm: Vm) -> int | None:
        disk_id, size = request.arguments.integer(1), request.arguments.string(2)
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.ACTION, "VM disk does not exist")
        if not size.removeprefix("-").isdecimal():
            raise RefusalError(Code.ACTION, "Disk SIZE is not a valid integer")
        if int(size) <= int(disk["SIZE"]):
            raise RefusalError(Code.ACTION, "New disk size has to be greater than current one")
        lcm_state = ready(vm, _RESIZE, "resize disk for")
        disk["SIZE"] = size
        self.life_cycle.pause(vm, lcm_state, request)
        return None if self.release.disk_calls_answer_vm else disk_id

    def _existing(self, request: Request) -> Vm:
        """Find a VM without a look at rights: these requests look at its state first."""
        vm_id = request.arguments.integer(0)
        if vm_id in self.books.vms:
            return self.books.vms[vm_id]
        return self.books.vm(request.user, vm_id, "MANAGE")

    def _vm_on_host(self, request: Request) -> Vm:
        vm = self._existing(request)
        if not vm.history:
            raise RefusalError(Code.ACTION, "VM is not running in any host")
        return self.books.vm(request.user, vm.id, "MANAGE")


def ready(vm: Vm, lcm_states: Mapping[Place, LcmState], what: str) -> LcmState:
    """Return the state in which a VM is busy with something; raises RefusalError if it cannot do that now."""
    try:
        return lcm_states[vm.state, vm.lcm_state]
    except KeyError:
        name = state_name(vm.state, vm.lcm_state)
        raise RefusalError(Code.ACTION, f"Could not {what} VM {vm.id}, wrong state {name}.") from None


def _next(vm: Vm, names: Iterable[str], key: str) -> int:
    """Return the number of a new disk or NIC: one more than the highest of these vectors."""
    numbers = (int(vector[key]) for name in names for vector in vm.template.vectors(name) if key in vector)
    return max(numbers, default=-1) + 1
