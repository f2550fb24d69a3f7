"""How VMs and images get from state to state as time goes by."""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import number
from stratuslab.sandbox.opennebula.current.objects import Snapshots, Stay, Turn
from stratuslab.sandbox.opennebula.current.placement import Placement
from stratuslab.sandbox.opennebula.current.states import ImageState, LcmState, VmState, state_name
from stratuslab.sandbox.opennebula.current.ways import (
    BEGINNINGS,
    HISTORY_ACTIONS,
    PENDING,
    STOPPED,
    UNDEPLOYED,
    WAYS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.objects import Image, Vm
    from stratuslab.sandbox.opennebula.current.ways import Way
    from stratuslab.sandbox.opennebula.releases import Release

DONE_VMS_KEPT = 1000
"""How many VMs that are DONE can still be looked at: the oldest one is forgotten first."""

HANGS = "hangs"
FAILS = "fails"
_WAITING = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
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
        self, books: Books, devices: Devices, allocation: Allocation, release: Release, boot_seconds: float
    ) -> None:
        self._books = books
        self._devices = devices
        self._allocation = allocation
        self._release = release
        self._placement = Placement(books)
        self._quarter = boot_seconds / 4
        self._moving: set[int] = set()
        self._without_room: set[int] = set()
        self.events: dict[str, Callable[[Vm, float, str], None]] = {
            "deployed": lambda vm, now, _: self._deployed(vm, now),
            "booting": lambda vm, now, _: self._booting(vm, now),
            "running": lambda vm, now, _: self._running(vm, now),
            "returned": lambda vm, now, _: self._returned(vm, now),
            "left": lambda vm, now, _: self.leave_host(vm, now),
            "epilog": lambda vm, now, _: self._epilog(vm, now),
            "ended": lambda vm, now, _: self._ended(vm, now),
            "failed": self._failed,
        }

    def recover(self) -> None:
        """Find out which VMs are on their way, after the books were read from a file."""
        self._moving = {vm.id for vm in self._books.vms.values() if vm.agenda}
        for vm in self._books.vms.values():
            for disk in vm.template.vectors("DISK"):
                image = self._books.images.get(int(disk.get("IMAGE_ID", "-1")))
                if image and image.persistent and disk["DISK_ID"] in vm.disk_snapshots:
                    image.snapshots = vm.disk_snapshots[disk["DISK_ID"]]

    def start(self, vm: Vm, now: float) -> None:
        """Begin the life of a VM that was allocated."""
        if vm.state == VmState.PENDING:
            self._plan(vm, now, [Turn(now + self._quarter, *PENDING, "host")])
        self._books.vms[vm.id] = vm

    def act(self, vm: Vm, action: str, now: float, user: tuple[int, int], driver: str = "") -> None:
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
        if vm.history and vm.state == VmState.ACTIVE and action in HISTORY_ACTIONS:
            stay = vm.history[-1]
            stay.action, (stay.uid, stay.gid) = HISTORY_ACTIONS[action], user
        if way[0].place == PENDING:
            vm.on_way = "stopped" if place == STOPPED else "undeployed" if place == UNDEPLOYED else ""
            vm.state, vm.lcm_state = PENDING
            self.start(vm, now)
            return
        self.go(vm, way, now, driver)

    def go(self, vm: Vm, way: Way, now: float, driver: str = "") -> None:
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
        self._plan(vm, now, rest)
        self._arrive(vm, first, now)

    def pause(self, vm: Vm, lcm_state: int, event: str, now: float, driver: str, failed: str = "") -> None:
        """Keep a VM busy in a life-cycle state, after which it is back where it was and `event` is done.

        If the driver fails, `failed` is done instead.
        """
        back = (vm.state, vm.lcm_state)
        vm.state, vm.lcm_state = VmState.ACTIVE, lcm_state
        wrong = driver not in ("", HANGS)
        turns = [Turn(now + self._quarter, *back, failed if wrong else event)]
        self._plan(vm, now, [] if driver == HANGS else turns)
        self._books.vms[vm.id] = vm

    def make(self, image: Image, now: float, driver: str = "") -> None:
        """Begin to make an image, which is LOCKED until that is done."""
        image.state = ImageState.LOCKED
        image.fails, image.hangs = driver not in ("", HANGS), driver == HANGS
        image.due = None if image.hangs else now + self._quarter
        self._books.images[image.id] = image

    def unmake(self, image: Image, now: float, driver: str = "") -> None:
        """Begin to delete an image."""
        image.state = ImageState.DELETE
        image.fails = driver not in ("", HANGS)
        image.due = None if driver == HANGS else now + self._quarter
        self._books.images[image.id] = image

    def advance(self, now: float) -> None:
        """Let everything happen that was due until `now`, in the order of its time."""
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
            heapq.heapify(queue)
            moment, is_vm, object_id = heapq.heappop(queue)
            if is_vm:
                vm = self._books.vms[object_id]
                self._arrive(vm, vm.agenda.pop(0), moment)
            else:
                self._settled(self._books.images[object_id], moment)

    def halt(self, vm: Vm) -> None:
        """Let nothing more happen to a VM by itself."""
        vm.agenda.clear()
        self._moving.discard(vm.id)
        self._without_room.discard(vm.id)

    def remove(self, vm: Vm, now: float) -> None:
        """End a VM at once, whatever its state."""
        self.halt(vm)
        vm.state, vm.lcm_state = VmState.DONE, LcmState.LCM_INIT
        self._ended(vm, now)
        self._books.vms[vm.id] = vm

    def fail(self, vm: Vm, message: str, now: float) -> None:
        """Put a VM into BOOT_FAILURE with a message."""
        self.halt(vm)
        self._tell(vm, message, now)
        vm.state, vm.lcm_state = VmState.ACTIVE, LcmState.BOOT_FAILURE
        self._books.vms[vm.id] = vm

    def new_stay(self, vm: Vm, action: str, now: float, user: tuple[int, int]) -> None:
        """Begin a new history record on the same host, as changes of disks and NICs do."""
        if vm.history:
            last = vm.history[-1]
            last.action, (last.uid, last.gid) = HISTORY_ACTIONS.get(action, 0), user
            last.etime = last.running_etime = int(now)
            vm.history.append(Stay(last.seq + 1, last.hid, last.hostname, int(now), running_stime=int(now)))

    def leave_host(self, vm: Vm, now: float) -> None:
        """Close the last history record."""
        for stay in vm.history[-1:]:
            if not stay.etime:
                stay.etime = int(now)
                stay.running_etime = stay.running_etime or int(now)
        self._without_room.clear()

    def _plan(self, vm: Vm, _now: float, turns: list[Turn]) -> None:
        self.halt(vm)
        vm.agenda = turns
        if turns:
            self._moving.add(vm.id)

    def _arrive(self, vm: Vm, turn: Turn, now: float) -> None:
        event, _, detail = turn.event.partition(" ")
        if event == "host":
            self._find_host(vm, turn, now)
            return
        vm.state, vm.lcm_state = turn.state, turn.lcm_state
        if event:
            self.events[event](vm, now, detail)
        if not vm.agenda:
            self._moving.discard(vm.id)
        self._books.vms[vm.id] = vm

    def _find_host(self, vm: Vm, turn: Turn, now: float) -> None:
        host, reason = self._placement.host_for(vm)
        if host is None:
            message = f"{time.asctime(time.gmtime(now))}: {reason}"
            if not vm.user_template.single("SCHED_MESSAGE"):
                vm.user_template.replace("SCHED_MESSAGE", message)
            vm.agenda.insert(0, turn)
            self._without_room.add(vm.id)
            self._books.vms[vm.id] = vm
            return
        if vm.user_template.single("SCHED_MESSAGE"):
            vm.user_template.replace("SCHED_MESSAGE", "")
        vm.history.append(Stay(len(vm.history), host.id, host.name, int(now), prolog_stime=int(now)))
        beginning = {"stopped": STOPPED, "undeployed": UNDEPLOYED}.get(vm.on_way, PENDING)
        vm.on_way = ""
        driver, vm.fails_in = vm.fails_in, ""
        self.go(vm, BEGINNINGS[beginning], now, driver)

    def _deployed(self, vm: Vm, _now: float) -> None:
        self._allocation.deployed(vm)

    def _booting(self, vm: Vm, now: float) -> None:
        vm.history[-1].prolog_etime = int(now)

    def _running(self, vm: Vm, now: float) -> None:
        vm.deploy_id = f"one-{vm.id}"
        if not vm.history[-1].running_stime:
            vm.history[-1].running_stime = int(now)

    def _returned(self, vm: Vm, now: float) -> None:
        last = vm.history[-1]
        vm.history.append(Stay(last.seq + 1, last.hid, last.hostname, int(now), running_stime=int(now)))

    def _epilog(self, vm: Vm, now: float) -> None:
        for stay in vm.history[-1:]:
            stay.running_etime = stay.running_etime or int(now)
            stay.epilog_stime = int(now)

    def _ended(self, vm: Vm, now: float) -> None:
        for stay in vm.history[-1:]:
            if stay.epilog_stime:
                stay.epilog_etime = int(now)
        self.leave_host(vm, now)
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
        """Give an image back with the size and the snapshots that its disk has, if it is persistent."""
        image = self._books.images.get(int(disk["IMAGE_ID"]))
        if image is not None and image.persistent:
            image.size = int(number(disk.get("SIZE", "")) or image.size)
            snapshots = vm.disk_snapshots.get(disk["DISK_ID"])
            image.snapshots = snapshots or Snapshots(is_known=False)
        self._devices.release_image(int(disk["IMAGE_ID"]), vm)

    def _failed(self, vm: Vm, now: float, stage: str) -> None:
        if stage in _ERRORS and vm.lcm_state != LcmState.RUNNING:
            self._tell(vm, _ERRORS[stage].format(deploy_id=f"one-{vm.id}"), now)
        for stay in vm.history[-1:]:
            if vm.is_active(LcmState.RUNNING):
                stay.action, stay.uid, stay.gid = 0, -1, -1

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
            what = "creating datablock" if image.type == 2 else "copying image in the datastore"
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
            kept = [item for item in image.template.attributes if item[0] != "SAVE_AS_HOT"]
            image.template.attributes = kept
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
        elif not any(image.state in _WAITING for image in images):
            vm.state = VmState.HOLD if vm.template.single("SUBMIT_ON_HOLD") else VmState.PENDING
            for disk in vm.template.vectors("DISK"):
                disk.pop("CLONING", None)
            self.start(vm, now)
        self._books.vms[vm.id] = vm
