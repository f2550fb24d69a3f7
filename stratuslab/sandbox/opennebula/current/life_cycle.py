"""How VMs and images change with time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.objects import Snapshots, Turn
from stratuslab.sandbox.opennebula.current.ways import (
    BEGINNINGS,
    HISTORY_ACTIONS,
    PENDING,
    STOPPED,
    UNDEPLOYED,
    WAYS,
)
from stratuslab.sandbox.opennebula.model.history import HistoryRecord
from stratuslab.sandbox.opennebula.model.states import (
    BEING_MADE,
    DONE_VMS_KEPT,
    ImageState,
    ImageType,
    LcmState,
    VmState,
    state_name,
)
from stratuslab.sandbox.opennebula.template.template import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.objects import Image, Vm
    from stratuslab.sandbox.opennebula.current.requests.request import Request
    from stratuslab.sandbox.opennebula.current.ways import Way
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
    from stratuslab.sandbox.opennebula.releases import Release

HANGS = "hangs"
FAILS = "fails"
_MADE_TO_FAIL = "ERROR MESSAGE --8<------ made to fail on purpose ERROR MESSAGE ------>8--"
_ERRORS = {
    "boot": "DEPLOY: {deploy_id}",
    "prolog": "Error executing image transfer script: made to fail on purpose",
    "epilog": "Error executing image transfer script: made to fail on purpose",
}


class ActionError(Exception):
    """An action that is not possible; the text is OpenNebula's."""


class LifeCycle:
    """Leads VMs and images through their states. Not thread-safe.

    A VM is RUNNING `boot_seconds` after its start: it is PENDING for a quarter of that time, in PROLOG for a
    half and in BOOT for a quarter. Every other state on the way takes a quarter, as does an image. A driver
    can be told to fail in a stage (`prolog`, `boot`, `shutdown`, `epilog`, …), in the first one
    (`fails`), or never to end (`hangs`).
    """

    def __init__(
        self,
        books: Books,
        devices: Devices,
        allocation: Allocation,
        scheduler: Scheduler,
        release: Release,
        boot_seconds: float,
    ) -> None:
        self._books = books
        self._devices = devices
        self._allocation = allocation
        self._scheduler = scheduler
        self._release = release
        self._quarter = boot_seconds / 4
        self._moving: set[int] = set()
        self._without_room: set[int] = set()
        self.events: dict[str, Callable[[Vm, float, str], None]] = {
            "deployed": lambda vm, _now, _: self._allocation.deployed(vm),
            "booting": self._booting,
            "running": self._running,
            "returned": self._returned,
            "left": lambda vm, now, _: self._leave_host(vm, now),
            "epilog": self._epilog,
            "ended": lambda vm, now, _: self._ended(vm, now),
            "failed": self._failed,
        }

    def recover(self) -> None:
        """Work out what no state file has: which VMs are on their way, which disks share snapshots."""
        self._moving = {vm.id for vm in self._books.vms.values() if vm.agenda}
        for vm in self._books.vms.values():
            for disk in vm.template.vectors("DISK"):
                image = self._books.images.get(int(disk.get("IMAGE_ID", "-1")))
                if image and image.persistent and disk["DISK_ID"] in vm.disk_snapshots:
                    image.snapshots = vm.disk_snapshots[disk["DISK_ID"]]

    def start(self, vm: Vm, now: float) -> None:
        """Begin the life of a VM that was allocated."""
        if vm.state == VmState.PENDING:
            self._plan(vm, [Turn(now + self._quarter, *PENDING, "host")])
        self._books.vms[vm.id] = vm

    def act(self, vm: Vm, action: str, request: Request) -> None:
        """Do what one.vm.action asks for; raises ActionError."""
        place = (vm.state, vm.lcm_state if vm.state == VmState.ACTIVE else 0)
        if action not in WAYS:
            raise ActionError(f'Action "{action}" is not supported')
        if place not in WAYS[action]:
            name = state_name(vm.state, vm.lcm_state)
            why = f"This action is not available for state {name}"
            if action.startswith("terminate"):
                why = f"Could not terminate VM {vm.id}, wrong state {name}."
            raise ActionError(f'Error performing action "{action}": {why}')
        way = WAYS[action][place]
        if not way:
            return
        if vm.state == VmState.ACTIVE and action in HISTORY_ACTIONS:
            for record in vm.history[-1:]:
                _note(record, action, request)
        if way[0].place == PENDING:
            vm.on_way = "stopped" if place == STOPPED else "undeployed" if place == UNDEPLOYED else ""
            vm.move(*PENDING)
            self.start(vm, request.now)
            return
        self._go(vm, way, request.now, request.driver)

    def _go(self, vm: Vm, way: Way, now: float, driver: str) -> None:
        """Lead a VM along a way, beginning at once."""
        turns, at = [], now
        for step in way:
            turns.append(Turn(at, *step.place, step.event))
            if driver == HANGS and step.stage:
                break
            at += step.quarters * self._quarter
            if step.failure is not None and driver in (FAILS, step.stage):
                turns.append(Turn(at, *step.failure, f"failed {step.stage}"))
                break
        first, rest = turns[0], turns[1:]
        self._plan(vm, rest)
        self._arrive(vm, first, now)

    def pause(
        self,
        vm: Vm,
        lcm_state: int,
        request: Request,
        event: str = "",
        failed: str = "",
        action: str = "",
    ) -> None:
        """Keep a VM busy in a life-cycle state; then it is back where it was, and `event` is done.

        If the driver fails, `failed` is done instead. An `action` begins a new history record if the VM is
        on its host, as changes of disks and NICs do.
        """
        if action and vm.state == VmState.ACTIVE:
            for record in vm.history[-1:]:
                _note(record, action, request)
                record.etime = record.running_etime = int(request.now)
                vm.history.append(record.successor(request.now))
        back = (vm.state, vm.lcm_state)
        vm.move(VmState.ACTIVE, lcm_state)
        fails = request.driver not in ("", HANGS)
        turn = Turn(request.now + self._quarter, *back, failed if fails else event)
        self._plan(vm, [] if request.driver == HANGS else [turn])
        self._books.vms[vm.id] = vm

    def make(self, image: Image, request: Request) -> None:
        """Begin to make an image, which is LOCKED until that is done."""
        self._begin(image, ImageState.LOCKED, request)
        image.hangs = request.driver == HANGS

    def unmake(self, image: Image, request: Request) -> None:
        """Begin to delete an image."""
        self._begin(image, ImageState.DELETE, request)

    def _begin(self, image: Image, state: ImageState, request: Request) -> None:
        image.state = state
        image.fails = request.driver not in ("", HANGS)
        image.due = None if request.driver == HANGS else request.now + self._quarter
        self._books.images[image.id] = image

    def advance(self, now: float) -> None:
        """Carry out everything that is due by `now`, in the order of time."""
        while True:
            queue = [
                (vm.agenda[0].time, 1, vm.id)
                for vm in (self._books.vms[vm_id] for vm_id in self._moving)
                if vm.agenda and vm.agenda[0].time <= now and vm.id not in self._without_room
            ]
            queue += [
                (image.due, 0, image.id)
                for image in self._books.images.values()
                if image.due is not None and image.due <= now
            ]
            if not queue:
                return
            moment, is_vm, object_id = min(queue)
            if is_vm:
                vm = self._books.vms[object_id]
                self._arrive(vm, vm.agenda.pop(0), moment)
            else:
                self._settled(self._books.images[object_id], moment)

    def halt(self, vm: Vm) -> None:
        """Stop a VM from changing by itself."""
        vm.agenda.clear()
        self._moving.discard(vm.id)
        self._without_room.discard(vm.id)

    def remove(self, vm: Vm, now: float) -> None:
        """End a VM at once, whatever its state."""
        self.halt(vm)
        vm.move(VmState.DONE)
        self._ended(vm, now)
        self._books.vms[vm.id] = vm

    def fail(self, vm: Vm, message: str, now: float) -> None:
        """Put a VM into BOOT_FAILURE with a message."""
        self.halt(vm)
        self._tell(vm, message, now)
        vm.move(VmState.ACTIVE, LcmState.BOOT_FAILURE)
        self._books.vms[vm.id] = vm

    def _leave_host(self, vm: Vm, now: float) -> None:
        for record in vm.history[-1:]:
            if not record.etime:
                record.etime = int(now)
                record.running_etime = record.running_etime or int(now)
        self._without_room.clear()

    def _plan(self, vm: Vm, turns: list[Turn]) -> None:
        self.halt(vm)
        vm.agenda = turns
        if turns:
            self._moving.add(vm.id)

    def _arrive(self, vm: Vm, turn: Turn, now: float) -> None:
        event, _, detail = turn.event.partition(" ")
        if event == "host":
            self._find_host(vm, turn, now)
            return
        vm.move(turn.state, turn.lcm_state)
        if event:
            self.events[event](vm, now, detail)
        if not vm.agenda:
            self._moving.discard(vm.id)
        self._books.vms[vm.id] = vm

    def _find_host(self, vm: Vm, turn: Turn, now: float) -> None:
        wishes = vm.user_template.single("SCHED_REQUIREMENTS")
        host = self._scheduler.host_for(vm, wishes)
        if host is None:
            message = f"{time.asctime(time.gmtime(now))}: {self._scheduler.reason_for_none(wishes)}"
            if not vm.user_template.single("SCHED_MESSAGE"):
                vm.user_template.replace("SCHED_MESSAGE", message)
            vm.agenda.insert(0, turn)
            self._without_room.add(vm.id)
            self._books.vms[vm.id] = vm
            return
        if vm.user_template.single("SCHED_MESSAGE"):
            vm.user_template.replace("SCHED_MESSAGE", "")
        vm.history.append(HistoryRecord(len(vm.history), host.id, host.name, int(now), prolog_stime=int(now)))
        beginning = {"stopped": STOPPED, "undeployed": UNDEPLOYED}.get(vm.on_way, PENDING)
        vm.on_way = ""
        driver, vm.fails_in = vm.fails_in, ""
        self._go(vm, BEGINNINGS[beginning], now, driver)

    def _booting(self, vm: Vm, now: float, _: str) -> None:
        vm.history[-1].prolog_etime = int(now)

    def _running(self, vm: Vm, now: float, _: str) -> None:
        vm.deploy_id = f"one-{vm.id}"
        if not vm.history[-1].running_stime:
            vm.history[-1].running_stime = int(now)

    def _returned(self, vm: Vm, now: float, _: str) -> None:
        vm.history.append(vm.history[-1].successor(now))

    def _epilog(self, vm: Vm, now: float, _: str) -> None:
        for record in vm.history[-1:]:
            record.running_etime = record.running_etime or int(now)
            record.epilog_stime = int(now)

    def _ended(self, vm: Vm, now: float) -> None:
        for record in vm.history[-1:]:
            if record.epilog_stime:
                record.epilog_etime = int(now)
        self._leave_host(vm, now)
        vm.etime = int(now)
        for disk in vm.template.vectors("DISK"):
            if "IMAGE_ID" in disk:
                self.let_go(vm, disk)
        self._devices.give_back(vm)
        done = [other.id for other in self._books.vms.values() if other.state == VmState.DONE]
        for vm_id in done[:-DONE_VMS_KEPT]:
            if vm_id != vm.id:
                del self._books.vms[vm_id]

    def let_go(self, vm: Vm, disk: dict[str, str]) -> None:
        """Give an image back; a persistent one gets the size and the snapshots of the disk."""
        image = self._books.images.get(int(disk["IMAGE_ID"]))
        if image is not None and image.persistent:
            image.size = int(number(disk.get("SIZE", "")) or image.size)
            snapshots = vm.disk_snapshots.get(disk["DISK_ID"])
            image.snapshots = snapshots or Snapshots(is_known=False)
        self._devices.release_image(int(disk["IMAGE_ID"]), vm)

    def _failed(self, vm: Vm, now: float, stage: str) -> None:
        if stage in _ERRORS and vm.lcm_state != LcmState.RUNNING:
            self._tell(vm, _ERRORS[stage].format(deploy_id=f"one-{vm.id}"), now)
        for record in vm.history[-1:]:
            if vm.is_active(LcmState.RUNNING):
                record.action, record.uid, record.gid = 0, -1, -1

    def _tell(self, vm: Vm, message: str, now: float) -> None:
        vm.user_template.replace("ERROR", f"{time.asctime(time.gmtime(now))}: {message}")

    def _settled(self, image: Image, now: float) -> None:
        image.due = None
        failed, image.fails = image.fails, False
        if image.state == ImageState.DELETE:
            if not failed or not self._release.failed_deletions_show:
                del self._books.images[image.id]
                return
            self._break(image, f"Error removing image from datastore: {_MADE_TO_FAIL}", now)
            return
        source = self._books.images.get(image.cloning_id)
        if source is not None:
            source.cloning_ops -= 1
            self._devices.settle(source)
        image.cloning_id = -1
        if failed:
            what = (
                "creating datablock"
                if image.type == ImageType.DATABLOCK
                else "copying image in the datastore"
            )
            self._break(image, f"Error {what}: {_MADE_TO_FAIL}", now)
        else:
            image.source = image.source or f"/var/lib/one/datastores/{image.datastore_id}/{image.id}"
            self._devices.settle(image)
        for vm_id in [*image.vms]:
            self._image_came(self._books.vms[vm_id], now)

    def _break(self, image: Image, message: str, now: float) -> None:
        image.state = ImageState.ERROR
        if message:
            image.template.replace("ERROR", f"{time.asctime(time.gmtime(now))} : {message}")
        self._books.images[image.id] = image

    def saved(self, image_id: int, now: float, *, failed: bool) -> None:
        """Finish the image that a disk of a VM was saved to; a failure leaves no text."""
        image = self._books.images.get(image_id)
        if image is None:
            return
        image.hangs = False
        if self._release.has_formats:
            image.template.attributes = [
                (name, value) for name, value in image.template.attributes if name != "SAVE_AS_HOT"
            ]
        if failed:
            self._break(image, "", now)
        else:
            image.source = f"/var/lib/one/datastores/{image.datastore_id}/{image.id}"
            self._devices.settle(image)

    def _image_came(self, vm: Vm, now: float) -> None:
        if vm.state != VmState.CLONING:
            return
        images = [
            self._books.images[int(disk["IMAGE_ID"])]
            for disk in vm.template.vectors("DISK")
            if "IMAGE_ID" in disk
        ]
        if any(image.state == ImageState.ERROR for image in images):
            vm.state = VmState.CLONING_FAILURE
        elif not any(image.state in BEING_MADE for image in images):
            vm.state = VmState.HOLD if vm.template.single("SUBMIT_ON_HOLD") else VmState.PENDING
            for disk in vm.template.vectors("DISK"):
                disk.pop("CLONING", None)
            self.start(vm, now)
        self._books.vms[vm.id] = vm


def _note(record: HistoryRecord, action: str, request: Request) -> None:
    """Write down who asked for what."""
    record.action, record.uid, record.gid = HISTORY_ACTIONS[action], request.user.uid, request.user.gid
