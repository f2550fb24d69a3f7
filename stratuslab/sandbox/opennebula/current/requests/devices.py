"""The requests about the disks and NICs of VMs: attach, detach, save, resize, snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.objects import Image, Snapshots
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.current.states import ImageState, LcmState, VmState, state_name
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Vm
    from stratuslab.sandbox.opennebula.current.requests.images import ImageRequests
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.opennebula.template.template import Vector

_RUNNING, _POWEROFF, _SUSPENDED = (3, int(LcmState.RUNNING)), (int(VmState.POWEROFF), 0), (5, 0)
_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_ON_NO_HOST = (VmState.PENDING, VmState.HOLD, VmState.CLONING, VmState.CLONING_FAILURE, VmState.DONE)
_ATTACH = {_RUNNING: LcmState.HOTPLUG, _POWEROFF: LcmState.HOTPLUG_PROLOG_POWEROFF}
_DETACH = {_RUNNING: LcmState.HOTPLUG, _POWEROFF: LcmState.HOTPLUG_EPILOG_POWEROFF}
_NIC = {_RUNNING: LcmState.HOTPLUG_NIC, _POWEROFF: LcmState.HOTPLUG_NIC_POWEROFF}
_RESIZE = {_RUNNING: LcmState.DISK_RESIZE, _POWEROFF: LcmState.DISK_RESIZE_POWEROFF}
_SAVE = {
    _RUNNING: LcmState.HOTPLUG_SAVEAS,
    _POWEROFF: LcmState.HOTPLUG_SAVEAS_POWEROFF,
    _SUSPENDED: LcmState.HOTPLUG_SAVEAS_SUSPENDED,
}


class DeviceRequests:
    """Answers the requests about disks and NICs."""

    def __init__(
        self,
        books: Books,
        devices: Devices,
        allocation: Allocation,
        life_cycle: LifeCycle,
        images: ImageRequests,
        release: Release,
    ) -> None:
        self._books = books
        self._devices = devices
        self._allocation = allocation
        self._life_cycle = life_cycle
        self._images = images
        self._release = release
        life_cycle.events.update(
            {
                "attached": self._attached,
                "attach-failed": self._attach_failed,
                "detached": self._detached,
                "nic-detached": self._nic_detached,
                "nic-failed": self._nic_failed,
                "saved": lambda vm, now, image_id: self._saved(vm, now, image_id, failed=False),
                "save-failed": lambda vm, now, image_id: self._saved(vm, now, image_id, failed=True),
            }
        )
        self.requests: Requests = {
            "one.vm.attach": self._attach,
            "one.vm.detach": self._detach,
            "one.vm.attachnic": self._attach_nic,
            "one.vm.detachnic": self._detach_nic,
            "one.vm.disksaveas": self._save,
            "one.vm.diskresize": self._resize,
        }

    def _attach(self, request: Request) -> int:
        vm_id = request.arguments.integer(0)
        template = request.template(1)
        vm = self._existing(request, vm_id)
        if vm.state in _ON_NO_HOST:
            raise RefusalError(Code.ACTION, "VM is not running in any host")
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        if self._release.busy_before_image:
            self._ready(vm, _ATTACH, "attach a new disk to")
        if not template.vectors("DISK"):
            raise RefusalError(Code.ACTION, "Internal error parsing DISK attribute")
        disk = dict(template.vectors("DISK")[0])
        try:
            image = self._devices.image_of(disk, request.user)
        except RefusalError as refusal:
            code = refusal.code if refusal.code == Code.AUTHORIZATION else Code.ACTION
            raise RefusalError(code, str(refusal)) from refusal
        if image is not None and image.persistent and image.vms:
            text = f"Cannot acquire image {image.id}, it is persistent and already in use"
            raise RefusalError(Code.ACTION, text)
        if image is not None and image.state in _LOCKED:
            raise RefusalError(Code.ACTION, f"Cannot acquire image {image.id}, it is locked")
        lcm_state = self._ready(vm, _ATTACH, "attach a new disk to")
        try:
            if image is not None:
                self._devices.acquire(image, vm)
            disk_id = self._free_disk_id(vm)
            self._devices.fill_disk(disk, disk_id, image, vm)
        except RefusalError as refusal:
            if image is not None:
                self._devices.release_image(image.id, vm)
            raise RefusalError(Code.ACTION, str(refusal)) from refusal
        self._devices.fill_system(disk)
        disk.update(ATTACH="YES", TM_MAD_SYSTEM="ssh")
        vm.template.attributes.append(("DISK", disk))
        if image is not None and image.persistent and image.snapshots.snapshots:
            vm.disk_snapshots[str(disk_id)] = image.snapshots
        if vm.state == VmState.ACTIVE:
            self._life_cycle.new_stay(vm, "disk-attach", request.now, request.who)
        self._pause(vm, lcm_state, f"attached {disk_id}", request, f"attach-failed {disk_id}")
        return vm.id

    def _free_disk_id(self, vm: Vm) -> int:
        """Return the id of a new disk: one more than the highest, CONTEXT's included."""
        vectors = [*vm.template.vectors("DISK"), *vm.template.vectors("CONTEXT")]
        return max((int(vector["DISK_ID"]) for vector in vectors if "DISK_ID" in vector), default=-1) + 1

    def _attached(self, vm: Vm, _now: float, disk_id: str) -> None:
        disk = vm.disk(int(disk_id))
        if disk is not None:
            disk.pop("ATTACH", None)

    def _attach_failed(self, vm: Vm, now: float, disk_id: str) -> None:
        self._detached(vm, now, disk_id)

    def _detach(self, request: Request) -> int:
        vm_id, disk_id = request.arguments.integer(0), request.arguments.integer(1)
        vm = self._existing(request, vm_id)
        if vm.state in _ON_NO_HOST:
            raise RefusalError(Code.ACTION, "VM is not running in any host")
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.ACTION, self._release.no_such_disk.format(disk_id))
        lcm_state = self._ready(vm, _DETACH, "detach disk from")
        disk["ATTACH"] = "YES"
        if vm.state == VmState.ACTIVE:
            self._life_cycle.new_stay(vm, "disk-detach", request.now, request.who)
        self._pause(vm, lcm_state, f"detached {disk_id}", request, f"attached {disk_id}")
        return vm.id

    def _detached(self, vm: Vm, _now: float, disk_id: str) -> None:
        disk = vm.disk(int(disk_id))
        if disk is None:
            return
        if "IMAGE_ID" in disk:
            self._life_cycle.let_go(vm, disk)
        vm.disk_snapshots.pop(disk_id, None)
        _remove(vm.template, disk)

    def _attach_nic(self, request: Request) -> int:
        vm_id = request.arguments.integer(0)
        template = request.template(1)
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        self._allocation.refuse_restricted(template, request.user)
        lcm_state = self._ready(vm, _NIC, "attach a new NIC to")
        nic = dict(next(iter(template.vectors("NIC")), {}))
        try:
            network = self._devices.network_of(nic, request.user)
            nics = [*vm.template.vectors("NIC"), *vm.template.vectors("NIC_ALIAS")]
            nic_id = max((int(other["NIC_ID"]) for other in nics), default=-1) + 1
            self._devices.fill_nic(nic, nic_id, network, vm)
        except RefusalError as refusal:
            raise RefusalError(Code.ACTION, str(refusal)) from refusal
        vm.template.attributes.append(("NIC", nic))
        self._allocation.update_context(vm)
        if vm.state == VmState.ACTIVE:
            self._life_cycle.new_stay(vm, "nic-attach", request.now, request.who)
        self._pause(vm, lcm_state, "", request, f"nic-detached {nic_id}")
        return vm.id

    def _detach_nic(self, request: Request) -> int:
        vm_id, nic_id = request.arguments.integer(0), request.arguments.integer(1)
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        if all(nic["NIC_ID"] != str(nic_id) for nic in vm.template.vectors("NIC")):
            raise RefusalError(Code.ACTION, f"Could not detach NIC with NIC_ID {nic_id}, it does not exist.")
        lcm_state = self._ready(vm, _NIC, "detach NIC from")
        if vm.state == VmState.ACTIVE:
            self._life_cycle.new_stay(vm, "nic-detach", request.now, request.who)
        self._pause(vm, lcm_state, f"nic-detached {nic_id}", request, "nic-failed")
        return vm.id

    def _nic_detached(self, vm: Vm, _now: float, nic_id: str) -> None:
        for nic in vm.template.vectors("NIC"):
            if nic["NIC_ID"] == nic_id:
                self._devices.give_back(vm, [nic])
                _remove(vm.template, nic)
        self._allocation.update_context(vm)

    def _nic_failed(self, _vm: Vm, _now: float, _nic_id: str) -> None:
        """Leave the NIC as it was."""

    def _save(self, request: Request) -> int:
        vm_id, disk_id, name = (
            request.arguments.integer(0),
            request.arguments.integer(1),
            request.arguments.string(2),
        )
        kind = request.optional_string(3)
        vm = self._existing(request, vm_id)
        named = vm.id if self._release.failures_name_object else -1
        place = (vm.state, vm.lcm_state)
        if place not in _SAVE:
            text = "VM has to be RUNNING, POWEROFF or SUSPENDED to save disks."
            raise RefusalError(Code.INTERNAL, text, named)
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.INTERNAL, "Cannot use DISK. DISK does not exist.", named)
        source = self._books.images.get(int(disk.get("IMAGE_ID", "-1")))
        if source is None:
            raise RefusalError(Code.INTERNAL, "Cannot use DISK. Volatile disks cannot be saved.", named)
        image = Image(
            -1,
            request.user.id,
            request.user.gid,
            name,
            type={"OS": 0, "CDROM": 1, "DATABLOCK": 2}.get(kind.upper(), source.type),
            regtime=int(request.now),
            format=source.format,
            size=int(disk["SIZE"]),
            datastore_id=source.datastore_id,
            template=Template(
                [
                    ("DEV_PREFIX", disk["DEV_PREFIX"]),
                    ("SAVED_DISK_ID", str(disk_id)),
                    ("SAVED_IMAGE_ID", str(source.id)),
                    ("SAVED_VM_ID", str(vm.id)),
                    ("SAVE_AS_HOT", "YES"),
                ]
            ),
        )
        try:
            self._images.add(image, request)
        except RefusalError as refusal:
            raise RefusalError(refusal.code, str(refusal), named) from refusal
        image.due, image.hangs = None, True
        disk.update(HOTPLUG_SAVE_AS_ACTIVE="YES", HOTPLUG_SAVE_AS_SNAPSHOT_ID="-1")
        self._books.images[image.id] = image
        self._pause(vm, _SAVE[place], f"saved {image.id}", request, f"save-failed {image.id}")
        return image.id

    def _saved(self, vm: Vm, now: float, image_id: str, *, failed: bool) -> None:
        self._life_cycle.saved(int(image_id), now, failed=failed)
        for disk in vm.template.vectors("DISK"):
            for name in ("HOTPLUG_SAVE_AS_ACTIVE", "HOTPLUG_SAVE_AS_SNAPSHOT_ID"):
                disk.pop(name, None)

    def _resize(self, request: Request) -> int:
        vm_id, disk_id = request.arguments.integer(0), request.arguments.integer(1)
        size = request.arguments.string(2)
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        disk = vm.disk(disk_id)
        if disk is None:
            raise RefusalError(Code.ACTION, "VM disk does not exist")
        if not size.isdecimal() or int(size) <= int(disk["SIZE"]):
            raise RefusalError(Code.ACTION, "New disk size has to be greater than current one")
        lcm_state = self._ready(vm, _RESIZE, "resize disk for")
        disk["SIZE"] = size
        self._pause(vm, lcm_state, "", request)
        return vm.id if self._release.disk_calls_answer_vm else disk_id

    def _existing(self, request: Request, vm_id: int) -> Vm:
        """Find a VM without a look at rights: these requests look at its state first."""
        if vm_id in self._books.vms:
            return self._books.vms[vm_id]
        return self._books.vm(request.user, vm_id, "MANAGE")

    def _ready(self, vm: Vm, lcm_states: Mapping[tuple[int, int], LcmState], what: str) -> LcmState:
        return ready(vm, lcm_states, what)

    def _pause(self, vm: Vm, lcm_state: int, event: str, request: Request, failed: str = "") -> None:
        self._life_cycle.pause(vm, lcm_state, event, request.now, request.driver, failed)


def ready(vm: Vm, lcm_states: Mapping[tuple[int, int], LcmState], what: str) -> LcmState:
    """Return the state in which a VM is busy with something; raises RefusalError if it cannot do that now."""
    try:
        return lcm_states[vm.state, vm.lcm_state]
    except KeyError:
        name = state_name(vm.state, vm.lcm_state)
        raise RefusalError(Code.ACTION, f"Could not {what} VM {vm.id}, wrong state {name}.") from None


def snapshots_of(vm: Vm, disk_id: int) -> Snapshots:
    """Return the snapshots of a disk, for changing them."""
    return vm.disk_snapshots.setdefault(str(disk_id), Snapshots())


def _remove(template: Template, vector: Vector) -> None:
    template.attributes = [attribute for attribute in template.attributes if attribute[1] is not vector]
