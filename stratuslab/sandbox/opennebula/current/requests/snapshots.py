"""The requests about snapshots, of disks and of whole VMs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.objects import Snapshots
from stratuslab.sandbox.opennebula.current.requests.devices import ready
from stratuslab.sandbox.opennebula.current.requests.request import changing
from stratuslab.sandbox.opennebula.current.ways import POWEROFF, RUNNING, SUSPENDED
from stratuslab.sandbox.opennebula.model.states import LcmState
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Image, Snapshot, Vm
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.opennebula.template.template import Vector

_CREATE = {
    RUNNING: LcmState.DISK_SNAPSHOT,
    POWEROFF: LcmState.DISK_SNAPSHOT_POWEROFF,
    SUSPENDED: LcmState.DISK_SNAPSHOT_SUSPENDED,
}
_REVERT = {
    POWEROFF: LcmState.DISK_SNAPSHOT_REVERT_POWEROFF,
    SUSPENDED: LcmState.DISK_SNAPSHOT_REVERT_SUSPENDED,
}
_DELETE = {
    RUNNING: LcmState.DISK_SNAPSHOT_DELETE,
    POWEROFF: LcmState.DISK_SNAPSHOT_DELETE_POWEROFF,
    SUSPENDED: LcmState.DISK_SNAPSHOT_DELETE_SUSPENDED,
}
_WHOLE = {RUNNING: LcmState.HOTPLUG_SNAPSHOT}
_ACTIVE = "Cannot delete the active snapshot"


@dataclass(frozen=True)
class SnapshotRequests:
    """Answers the requests about snapshots."""

    books: Books
    life_cycle: LifeCycle
    release: Release

    def __post_init__(self) -> None:
        self.life_cycle.events.update(
            {
                "snapshot-taken": self._taken,
                "snapshot-failed": self._creation_failed,
                "snapshot-deleted": self._vm_snapshot_deleted,
            }
        )

    def requests(self) -> Requests:
        """Return what answers each method."""
        vms, images = self.books.vms, self.books.images
        return {
            "one.vm.disksnapshotcreate": changing(vms, "VM", self._create),
            "one.vm.disksnapshotrevert": changing(vms, "VM", self._revert),
            "one.vm.disksnapshotdelete": changing(vms, "VM", self._delete),
            "one.vm.disksnapshotrename": changing(vms, "VM", self._rename),
            "one.vm.snapshotcreate": changing(vms, "VM", self._create_of_vm),
            "one.vm.snapshotrevert": changing(vms, "VM", self._revert_vm),
            "one.vm.snapshotdelete": changing(vms, "VM", self._delete_of_vm),
            "one.image.snapshotrevert": changing(images, "IMAGE", self._revert_image),
            "one.image.snapshotdelete": changing(images, "IMAGE", self._delete_of_image),
            "one.image.snapshotflatten": changing(images, "IMAGE", self._flatten),
        }

    def _create(self, request: Request, vm: Vm) -> int:
        disk = self._disk(request, vm)
        name = request.arguments.string(2)
        lcm_state = ready(vm, _CREATE, "create a new disk snapshot for")
        size = int(disk["SIZE"])
        snapshots = vm.disk_snapshots.setdefault(disk["DISK_ID"], Snapshots())
        number = snapshots.add(name, int(request.now), size)
        disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(int(disk.get("DISK_SNAPSHOT_TOTAL_SIZE", "0")) + size)
        image = self.books.images.get(int(disk.get("IMAGE_ID", "-1")))
        if image is not None and image.persistent:
            image.snapshots = snapshots
            self.books.images[image.id] = image
        disk.update(DISK_SNAPSHOT_ACTIVE="YES", DISK_SNAPSHOT_ID=str(number))
        which = f"{disk['DISK_ID']}/{number}"
        self.life_cycle.pause(
            vm, lcm_state, request, f"snapshot-taken {which}", failed=f"snapshot-failed {which}"
        )
        return number

    def _taken(self, vm: Vm, _now: float, which: str) -> None:
        disk_id, _, number = which.partition("/")
        vm.disk_snapshots[disk_id].active = int(number)
        self._unmark(vm, disk_id)

    def _creation_failed(self, vm: Vm, _now: float, which: str) -> None:
        disk_id, _, number = which.partition("/")
        self._unmark(vm, disk_id)
        snapshots = vm.disk_snapshots[disk_id]
        snapshot = snapshots.find(int(number))
        if snapshot is not None:
            snapshots.remove(snapshot)

    def _unmark(self, vm: Vm, disk_id: str) -> None:
        disk = vm.disk(int(disk_id)) or {}
        for name in ("DISK_SNAPSHOT_ACTIVE", "DISK_SNAPSHOT_ID"):
            disk.pop(name, None)

    def _revert(self, request: Request, vm: Vm) -> None:
        snapshots, snapshot, _ = self._snapshot(request, vm)
        lcm_state = ready(vm, _REVERT, "revert to disk snapshot for")
        snapshots.active = snapshot.id
        self.life_cycle.pause(vm, lcm_state, request)

    def _delete(self, request: Request, vm: Vm) -> None:
        snapshots, snapshot, disk = self._snapshot(request, vm)
        lcm_state = ready(vm, _DELETE, "delete disk snapshot for")
        if self.release.active_snapshot_counts:
            is_active = snapshot.id == snapshots.active
            fault = _ACTIVE if is_active else _fault_of_deletion(snapshots, snapshot)
        elif disk.get("PERSISTENT") == "YES" and snapshot.id == 0:
            fault = "Cannot delete snapshot 0 for persistent disk images"
        else:
            fault = _fault_of_merging(snapshots, snapshot)
        if fault:
            raise RefusalError(Code.ACTION, fault)
        snapshots.remove(snapshot)
        self.life_cycle.pause(vm, lcm_state, request)

    def _rename(self, request: Request, vm: Vm) -> None:
        _, snapshot, _ = self._snapshot(request, vm)
        snapshot.name = request.arguments.string(3)

    def _disk(self, request: Request, vm: Vm) -> Vector:
        disk = vm.disk(request.arguments.integer(1))
        if disk is None:
            raise RefusalError(Code.ACTION, "VM disk does not exist")
        return disk

    def _snapshot(self, request: Request, vm: Vm) -> tuple[Snapshots, Snapshot, Vector]:
        disk, number = self._disk(request, vm), request.arguments.integer(2)
        snapshots = vm.disk_snapshots.get(disk["DISK_ID"], Snapshots())
        snapshot = snapshots.find(number)
        if snapshot is None:
            raise RefusalError(Code.ACTION, "Snapshot does not exist")
        return snapshots, snapshot, disk

    def _create_of_vm(self, request: Request, vm: Vm) -> int:
        lcm_state = ready(vm, _WHOLE, "create a new snapshot for")
        taken = [int(snapshot["SNAPSHOT_ID"]) for snapshot in vm.template.vectors("SNAPSHOT")]
        number = max(taken, default=-1) + 1
        values = {
            "HYPERVISOR_ID": f"snap-{number}",
            "NAME": request.arguments.string(1),
            "SNAPSHOT_ID": str(number),
            "TIME": str(int(request.now)),
        }
        if self.release.has_formats:
            values["SYSTEM_DISK_SIZE"] = vm.template.single("MEMORY")
        vm.template.attributes.append(("SNAPSHOT", values))
        self.life_cycle.pause(vm, lcm_state, request, failed=f"snapshot-deleted {number}")
        return number

    def _revert_vm(self, request: Request, vm: Vm) -> int | None:
        self._check_has_snapshot(request, vm, "Could not revert VM {vm} to snapshot {snapshot}")
        self.life_cycle.pause(vm, ready(vm, _WHOLE, "revert snapshot for"), request)
        return None if self.release.snapshot_calls_answer else -1

    def _delete_of_vm(self, request: Request, vm: Vm) -> int | None:
        number = self._check_has_snapshot(request, vm, "Could not delete snapshot {snapshot} for VM {vm}")
        lcm_state = ready(vm, _WHOLE, "delete snapshot for")
        self.life_cycle.pause(vm, lcm_state, request, f"snapshot-deleted {number}")
        return None if self.release.snapshot_calls_answer else -1

    def _check_has_snapshot(self, request: Request, vm: Vm, refusal: str) -> int:
        number = request.arguments.integer(1)
        if all(snapshot["SNAPSHOT_ID"] != str(number) for snapshot in vm.template.vectors("SNAPSHOT")):
            text = refusal.format(vm=vm.id, snapshot=number)
            raise RefusalError(Code.ACTION, f"{text}, it does not exist.")
        return number

    def _vm_snapshot_deleted(self, vm: Vm, _now: float, number: str) -> None:
        for snapshot in vm.template.vectors("SNAPSHOT"):
            if snapshot["SNAPSHOT_ID"] == number:
                vm.template.remove(snapshot)

    def _revert_image(self, request: Request, image: Image) -> int | None:
        snapshot = self._snapshot_of_image(request, image)
        if self.release.active_snapshot_counts and image.snapshots.active == snapshot.id:
            raise RefusalError(Code.ACTION, "Snapshot is already the active one")
        image.snapshots.active = snapshot.id
        return self._changed(request, image)

    def _delete_of_image(self, request: Request, image: Image) -> int | None:
        snapshot = self._snapshot_of_image(request, image)
        if fault := _fault_of_deletion(image.snapshots, snapshot):
            raise RefusalError(Code.ACTION, fault)
        image.snapshots.remove(snapshot)
        return self._changed(request, image)

    def _flatten(self, request: Request, image: Image) -> int | None:
        self._snapshot_of_image(request, image)
        image.snapshots.snapshots.clear()
        image.snapshots.active, image.snapshots.is_known = -1, False
        return self._changed(request, image)

    def _snapshot_of_image(self, request: Request, image: Image) -> Snapshot:
        if image.vms:
            raise RefusalError(Code.ACTION, "Image is in use")
        snapshot = image.snapshots.find(request.arguments.integer(1))
        if snapshot is None:
            raise RefusalError(Code.ACTION, "Snapshot does not exist")
        return snapshot

    def _changed(self, request: Request, image: Image) -> int | None:
        self.life_cycle.make(image, request)
        return None if self.release.disk_calls_answer_vm else request.arguments.integer(1)


def _fault_of_deletion(snapshots: Snapshots, snapshot: Snapshot) -> str:
    """Return why a snapshot cannot be deleted; empty if it can."""
    if snapshots.children(snapshot.id):
        return "Cannot delete snapshot with children"
    return _ACTIVE if snapshot.id == snapshots.active else ""


def _fault_of_merging(snapshots: Snapshots, snapshot: Snapshot) -> str:
    """Return why a snapshot cannot be merged into its only child; empty if it can, or has no child."""
    children = snapshots.children(snapshot.id)
    if len(children) > 1:
        return "Cannot delete snapshot with more than one children"
    if not children:
        return ""
    if snapshot.id == snapshots.active:
        return "Cannot delete the active snapshot with children"
    grandchildren = snapshots.children(children[0])
    if len(grandchildren) > 1 or (grandchildren and children[0] == snapshots.active):
        return "Cannot delete snapshot if child has children"
    if snapshot.parent >= 0 and len(snapshots.children(snapshot.parent)) > 1:
        return "Cannot delete snapshot if parent has more than one child"
    return ""
