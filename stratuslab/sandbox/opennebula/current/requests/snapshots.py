"""The requests about snapshots, of disks and of whole VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.current.requests.devices import ready, snapshots_of
from stratuslab.sandbox.opennebula.current.states import LcmState, VmState

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Snapshot, Snapshots, Vm
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release

_RUNNING, _POWEROFF, _SUSPENDED = (3, int(LcmState.RUNNING)), (int(VmState.POWEROFF), 0), (5, 0)
_CREATE = {
    _RUNNING: LcmState.DISK_SNAPSHOT,
    _POWEROFF: LcmState.DISK_SNAPSHOT_POWEROFF,
    _SUSPENDED: LcmState.DISK_SNAPSHOT_SUSPENDED,
}
_REVERT = {
    _POWEROFF: LcmState.DISK_SNAPSHOT_REVERT_POWEROFF,
    _SUSPENDED: LcmState.DISK_SNAPSHOT_REVERT_SUSPENDED,
}
_DELETE = {
    _RUNNING: LcmState.DISK_SNAPSHOT_DELETE,
    _POWEROFF: LcmState.DISK_SNAPSHOT_DELETE_POWEROFF,
    _SUSPENDED: LcmState.DISK_SNAPSHOT_DELETE_SUSPENDED,
}
_WHOLE = {_RUNNING: LcmState.HOTPLUG_SNAPSHOT}


class SnapshotRequests:
    """Answers the requests about snapshots."""

    def __init__(self, books: Books, life_cycle: LifeCycle, release: Release) -> None:
        self._books = books
        self._life_cycle = life_cycle
        self._release = release
        life_cycle.events.update(
            {
                "snapshot-taken": self._taken,
                "snapshot-failed": self._creation_failed,
                "snapshot-deleted": self._vm_snapshot_deleted,
            }
        )
        self.requests: Requests = {
            "one.vm.disksnapshotcreate": self._create,
            "one.vm.disksnapshotrevert": self._revert,
            "one.vm.disksnapshotdelete": self._delete,
            "one.vm.disksnapshotrename": self._rename,
            "one.vm.snapshotcreate": self._create_of_vm,
            "one.vm.snapshotrevert": self._revert_vm,
            "one.vm.snapshotdelete": self._delete_of_vm,
            "one.image.snapshotrevert": self._revert_image,
            "one.image.snapshotdelete": self._delete_of_image,
            "one.image.snapshotflatten": self._flatten,
        }

    def _create(self, request: Request) -> int:
        vm, disk = self._disk(request)
        name = request.arguments.string(2)
        lcm_state = ready(vm, _CREATE, "create a new disk snapshot for")
        disk_id = int(disk["DISK_ID"])
        size = int(disk["SIZE"])
        number = snapshots_of(vm, disk_id).add(name, int(request.now), size)
        disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(int(disk.get("DISK_SNAPSHOT_TOTAL_SIZE", "0")) + size)
        self._share(vm, disk)
        disk.update(DISK_SNAPSHOT_ACTIVE="YES", DISK_SNAPSHOT_ID=str(number))
        which = f"{disk_id}/{number}"
        self._life_cycle.pause(
            vm, lcm_state, f"snapshot-taken {which}", request.now, request.driver, f"snapshot-failed {which}"
        )
        return number

    def _taken(self, vm: Vm, _now: float, which: str) -> None:
        disk_id, _, number = which.partition("/")
        snapshots_of(vm, int(disk_id)).active = int(number)
        self._unmark(vm, disk_id)

    def _unmark(self, vm: Vm, disk_id: str) -> None:
        disk = vm.disk(int(disk_id)) or {}
        for name in ("DISK_SNAPSHOT_ACTIVE", "DISK_SNAPSHOT_ID"):
            disk.pop(name, None)

    def _creation_failed(self, vm: Vm, _now: float, which: str) -> None:
        disk_id, _, number = which.partition("/")
        self._unmark(vm, disk_id)
        snapshots = snapshots_of(vm, int(disk_id))
        snapshot = snapshots.find(int(number))
        if snapshot is not None:
            snapshots.remove(snapshot)

    def _revert(self, request: Request) -> int:
        vm, disk = self._disk(request)
        snapshots, snapshot = self._snapshot(vm, disk, request.arguments.integer(2))
        lcm_state = ready(vm, _REVERT, "revert to disk snapshot for")
        snapshots.active = snapshot.id
        self._life_cycle.pause(vm, lcm_state, "", request.now, request.driver)
        return vm.id

    def _delete(self, request: Request) -> int:
        vm, disk = self._disk(request)
        snapshots, snapshot = self._snapshot(vm, disk, request.arguments.integer(2))
        lcm_state = ready(vm, _DELETE, "delete disk snapshot for")
        if not self._release.active_snapshot_counts and disk.get("PERSISTENT") == "YES":
            text = f"Cannot delete snapshot {snapshot.id} for persistent disk images"
            raise RefusalError(Code.ACTION, text)
        self._check_deletable(snapshots, snapshot)
        snapshots.remove(snapshot)
        self._life_cycle.pause(vm, lcm_state, "", request.now, request.driver)
        return vm.id

    def _check_deletable(self, snapshots: Snapshots, snapshot: Snapshot) -> None:
        if snapshot.id == snapshots.active:
            raise RefusalError(Code.ACTION, "Cannot delete the active snapshot")
        if snapshots.children(snapshot.id):
            raise RefusalError(Code.ACTION, "Cannot delete snapshot with children")

    def _rename(self, request: Request) -> int:
        vm, disk = self._disk(request)
        _, snapshot = self._snapshot(vm, disk, request.arguments.integer(2))
        snapshot.name = request.arguments.string(3)
        self._books.vms[vm.id] = vm
        return vm.id

    def _disk(self, request: Request) -> tuple[Vm, dict[str, str]]:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        disk = vm.disk(request.arguments.integer(1))
        if disk is None:
            raise RefusalError(Code.ACTION, "VM disk does not exist")
        return vm, disk

    def _snapshot(self, vm: Vm, disk: dict[str, str], number: int) -> tuple[Snapshots, Snapshot]:
        snapshots = vm.disk_snapshots.get(disk["DISK_ID"])
        snapshot = snapshots.find(number) if snapshots else None
        if snapshots is None or snapshot is None:
            raise RefusalError(Code.ACTION, "Snapshot does not exist")
        return snapshots, snapshot

    def _share(self, vm: Vm, disk: dict[str, str]) -> None:
        image = self._books.images.get(int(disk.get("IMAGE_ID", "-1")))
        if image is not None and image.persistent:
            image.snapshots = vm.disk_snapshots[disk["DISK_ID"]]
            self._books.images[image.id] = image

    def _create_of_vm(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        lcm_state = ready(vm, _WHOLE, "create a new snapshot for")
        taken = [int(snapshot["SNAPSHOT_ID"]) for snapshot in vm.template.vectors("SNAPSHOT")]
        number = max(taken, default=-1) + 1
        values = {
            "HYPERVISOR_ID": f"snap-{number}",
            "NAME": request.arguments.string(1),
            "SNAPSHOT_ID": str(number),
            "TIME": str(int(request.now)),
        }
        if self._release.has_formats:
            values["SYSTEM_DISK_SIZE"] = vm.template.single("MEMORY")
        vm.template.attributes.append(("SNAPSHOT", values))
        failed = f"snapshot-deleted {number}"
        self._life_cycle.pause(vm, lcm_state, "", request.now, request.driver, failed)
        return number

    def _revert_vm(self, request: Request) -> int:
        vm = self._vm_with_snapshot(request)
        lcm_state = ready(vm, _WHOLE, "revert snapshot for")
        self._life_cycle.pause(vm, lcm_state, "", request.now, request.driver)
        return vm.id if self._release.snapshot_calls_answer else -1

    def _delete_of_vm(self, request: Request) -> int:
        vm = self._vm_with_snapshot(request)
        lcm_state = ready(vm, _WHOLE, "delete snapshot for")
        event = f"snapshot-deleted {request.arguments.integer(1)}"
        self._life_cycle.pause(vm, lcm_state, event, request.now, request.driver)
        return vm.id if self._release.snapshot_calls_answer else -1

    def _vm_with_snapshot(self, request: Request) -> Vm:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        number = str(request.arguments.integer(1))
        if all(snapshot["SNAPSHOT_ID"] != number for snapshot in vm.template.vectors("SNAPSHOT")):
            raise RefusalError(Code.ACTION, f"No such snapshot {number}")
        return vm

    def _vm_snapshot_deleted(self, vm: Vm, _now: float, number: str) -> None:
        vm.template.attributes = [
            (name, value)
            for name, value in vm.template.attributes
            if name != "SNAPSHOT" or not isinstance(value, dict) or value["SNAPSHOT_ID"] != number
        ]

    def _revert_image(self, request: Request) -> int:
        image_id, number = request.arguments.integer(0), request.arguments.integer(1)
        snapshots, snapshot = self._of_image(request)
        if self._release.active_snapshot_counts and snapshots.active == snapshot.id:
            raise RefusalError(Code.ACTION, "Snapshot is already the active one")
        snapshots.active = snapshot.id
        self._life_cycle.make(self._books.images[image_id], request.now, request.driver)
        return image_id if self._release.disk_calls_answer_vm else number

    def _delete_of_image(self, request: Request) -> int:
        image_id, number = request.arguments.integer(0), request.arguments.integer(1)
        snapshots, snapshot = self._of_image(request)
        if snapshots.children(snapshot.id):
            raise RefusalError(Code.ACTION, "Cannot delete snapshot with children")
        self._check_deletable(snapshots, snapshot)
        snapshots.remove(snapshot)
        self._life_cycle.make(self._books.images[image_id], request.now, request.driver)
        return image_id if self._release.disk_calls_answer_vm else number

    def _flatten(self, request: Request) -> int:
        image_id, number = request.arguments.integer(0), request.arguments.integer(1)
        snapshots, _ = self._of_image(request)
        snapshots.snapshots.clear()
        snapshots.active, snapshots.is_known = -1, False
        self._life_cycle.make(self._books.images[image_id], request.now, request.driver)
        return image_id if self._release.disk_calls_answer_vm else number

    def _of_image(self, request: Request) -> tuple[Snapshots, Snapshot]:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        if image.vms:
            raise RefusalError(Code.ACTION, "Image is in use")
        snapshot = image.snapshots.find(request.arguments.integer(1))
        if snapshot is None:
            raise RefusalError(Code.ACTION, "Snapshot does not exist")
        return image.snapshots, snapshot
