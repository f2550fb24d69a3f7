"""The life of virtual machines: what the actions do, and what happens by itself as time goes by."""

from __future__ import annotations

import heapq
import time
from functools import partial
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.history import HistoryRecord, Reason
from stratuslab.sandbox.opennebula.model.states import DONE_VMS_KEPT, LcmState, VmState
from stratuslab.sandbox.opennebula.model.virtual_machine import Turn, VirtualMachine
from stratuslab.sandbox.opennebula.transfer_manager import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
    from stratuslab.sandbox.opennebula.transfer_manager import TransferManager


# Actions on a VM that is on a host: the states in which they are possible, the state in which they put it,
# and what follows, a quarter of the time to boot apart.
_ON_HOST: dict[str, tuple[tuple[LcmState, ...], LcmState, list[Turn]]] = {
    "shutdown": ((LcmState.RUNNING,), LcmState.SHUTDOWN, [Turn.SHUT_DOWN, Turn.ENDED]),
    "cancel": ((LcmState.RUNNING,), LcmState.CANCEL, [Turn.SHUT_DOWN, Turn.ENDED]),
    "stop": ((LcmState.RUNNING,), LcmState.SAVE_STOP, [Turn.SAVED_TO_STOP, Turn.STOPPED]),
    "suspend": ((LcmState.RUNNING,), LcmState.SAVE_SUSPEND, [Turn.SUSPENDED]),
    "restart": ((LcmState.UNKNOWN, LcmState.BOOT), LcmState.BOOT, [Turn.BOOTED]),
    "reboot": ((LcmState.RUNNING,), LcmState.RUNNING, []),
}


class UnknownActionError(Exception):
    """OpenNebula 3.2 has no action of that name."""


class WrongStateError(Exception):
    """The action is not possible in the state of the VM."""


class LifeCycle:
    """Leads VMs from state to state, and puts each VM that it changes into `vms` again.

    A VM is RUNNING `boot_seconds` after its start: it is PENDING for a quarter of that time, in PROLOG for
    a half and in BOOT for a quarter. Every other state on the way takes a quarter. A VM for which no host
    has room stays PENDING until another one leaves its host. Not thread-safe.
    """

    def __init__(
        self,
        vms: MutableMapping[int, VirtualMachine],
        scheduler: Scheduler,
        networks: Mapping[int, VirtualNetwork],
        transfer_manager: TransferManager,
        boot_seconds: float,
    ) -> None:
        self._vms = vms
        self._scheduler = scheduler
        self._networks = networks
        self._transfer_manager = transfer_manager
        self._quarter = boot_seconds / 4
        self._without_room: set[int] = set()
        self._actions: dict[str, Callable[[VirtualMachine, float], None]] = {
            "hold": self._hold,
            "release": self._release,
            "resume": self._resume,
            "finalize": self._finalize,
            "resubmit": self._resubmit,
        }
        self._turns: dict[Turn, Callable[[VirtualMachine, float], None]] = {
            Turn.DEPLOYED: self._deployed,
            Turn.TRANSFERRED: self._transferred,
            Turn.BOOTED: self._booted,
            Turn.SHUT_DOWN: partial(self._begin_epilog, LcmState.EPILOG),
            Turn.SHUTDOWN_IGNORED: lambda vm, _now: vm.move(VmState.ACTIVE, LcmState.RUNNING),
            Turn.SAVED_TO_STOP: partial(self._begin_epilog, LcmState.EPILOG_STOP),
            Turn.STOPPED: partial(self._put_aside, VmState.STOPPED),
            Turn.SUSPENDED: partial(self._put_aside, VmState.SUSPENDED),
            Turn.CLEANED_TO_RESUBMIT: self._cleaned_to_resubmit,
            Turn.ENDED: self._ended,
        }

    def start(self, vm: VirtualMachine, now: float) -> None:
        """Make the VM wait for a host, from `now` on."""
        vm.move(VmState.PENDING)
        self._plan(vm, now, (1, Turn.DEPLOYED))

    def act(self, vm: VirtualMachine, action: str, now: float) -> None:
        """Do what one.vm.action asks for; raises UnknownActionError, WrongStateError."""
        if action in self._actions:
            self._actions[action](vm, now)
            return
        if action not in _ON_HOST:
            raise UnknownActionError(action)
        before, after, turns = _ON_HOST[action]
        _require(vm.is_active(*before))
        vm.move(VmState.ACTIVE, after)
        if action == "cancel":
            for record in vm.history[-1:]:
                record.reason = Reason.CANCEL
        if action == "shutdown" and vm.ignores_acpi:
            turns = [Turn.SHUTDOWN_IGNORED]
        self._plan(vm, now, *enumerate(turns, 1))

    def deploy(self, vm: VirtualMachine, host: Host, now: float) -> None:
        """Put a waiting VM on this host, whether there is room or not; raises WrongStateError."""
        _require(vm.state in (VmState.PENDING, VmState.HOLD))
        self._put_on(vm, host, now)

    def migrate(self, vm: VirtualMachine, host: Host, now: float, *, live: bool) -> None:
        """Move a VM to another host, without a pause if it is `live`; raises WrongStateError."""
        _require(vm.is_active(LcmState.RUNNING))
        vm.move(VmState.ACTIVE, LcmState.MIGRATE if live else LcmState.SAVE_MIGRATE)
        self._leave_host(vm, now, Reason.USER)
        vm.history.append(
            HistoryRecord(len(vm.history), host.id, host.name, int(now), running_stime=int(now))
        )
        self._plan(vm, now, (1, Turn.BOOTED))

    def advance(self, now: float) -> None:
        """Carry out everything that is due by `now`, in the order of time."""
        queue = [(vm.agenda[0][0], vm.id) for vm in self._vms.values() if vm.agenda and self._is_due(vm, now)]
        heapq.heapify(queue)
        while queue:
            moment, vm_id = heapq.heappop(queue)
            vm = self._vms[vm_id]
            _, turn = vm.agenda.pop(0)
            waiting = self._without_room.copy()
            self._turns[turn](vm, moment)
            self._vms[vm_id] = vm
            for next_id in {vm_id} | waiting - self._without_room:
                if self._is_due(self._vms[next_id], now):
                    heapq.heappush(queue, (self._vms[next_id].agenda[0][0], next_id))

    def halt(self, vm: VirtualMachine) -> None:
        """Stop the VM from changing by itself."""
        vm.agenda.clear()
        self._without_room.discard(vm.id)

    def fail(self, vm: VirtualMachine, message: str, now: float) -> None:
        """End the VM as FAILED; it keeps what it has until it is finalized."""
        timestamp = time.asctime(time.gmtime(now))
        vm.template.replace("ERROR", {"MESSAGE": message, "TIMESTAMP": timestamp})
        self.halt(vm)
        self._leave_host(vm, now, Reason.ERROR)
        vm.etime = int(now)
        vm.move(VmState.FAILED)
        self._vms[vm.id] = vm

    def _plan(self, vm: VirtualMachine, now: float, *turns: tuple[int, Turn]) -> None:
        self.halt(vm)
        vm.agenda = [(now + quarters * self._quarter, turn) for quarters, turn in turns]

    def _is_due(self, vm: VirtualMachine, now: float) -> bool:
        return bool(vm.agenda) and vm.agenda[0][0] <= now and vm.id not in self._without_room

    def _hold(self, vm: VirtualMachine, _now: float) -> None:
        _require(vm.state == VmState.PENDING)
        vm.move(VmState.HOLD)
        self.halt(vm)

    def _release(self, vm: VirtualMachine, now: float) -> None:
        _require(vm.state == VmState.HOLD)
        self.start(vm, now)

    def _resume(self, vm: VirtualMachine, now: float) -> None:
        _require(vm.state in (VmState.STOPPED, VmState.SUSPENDED))
        if vm.state == VmState.STOPPED:
            self.start(vm, now)
            return
        for record in vm.history[-1:]:
            vm.history.append(record.successor(now))
        vm.move(VmState.ACTIVE, LcmState.BOOT)
        self._plan(vm, now, (1, Turn.BOOTED))

    def _finalize(self, vm: VirtualMachine, now: float) -> None:
        if vm.state == VmState.ACTIVE:
            self._leave_host(vm, now, Reason.USER)
            vm.move(VmState.ACTIVE, LcmState.CLEANUP)
            self._plan(vm, now, (1, Turn.ENDED))
        elif vm.state != VmState.DONE:
            self._ended(vm, now)

    def _resubmit(self, vm: VirtualMachine, now: float) -> None:
        _require(vm.state not in (VmState.SUSPENDED, VmState.DONE))
        if vm.state == VmState.ACTIVE:
            self._leave_host(vm, now, Reason.USER)
            vm.move(VmState.ACTIVE, LcmState.CLEANUP)
            self._plan(vm, now, (1, Turn.CLEANED_TO_RESUBMIT))
        elif vm.state == VmState.FAILED:
            self._cleaned_to_resubmit(vm, now)
        elif vm.state != VmState.PENDING:
            self.start(vm, now)

    def waiting(self) -> dict[int, str]:
        """Return the reason for each VM that no host has room for, by its id."""
        return {
            vm_id: f"No host has room for CPU = {vm.template.single('CPU') or 0},"
            f" MEMORY = {vm.template.single('MEMORY') or 0}"
            for vm_id, vm in self._vms.items()
            if vm_id in self._without_room and vm.state == VmState.PENDING
        }

    def _deployed(self, vm: VirtualMachine, now: float) -> None:
        host = self._scheduler.host_for(vm)
        if host is None:
            self._plan(vm, now, (0, Turn.DEPLOYED))
            self._without_room.add(vm.id)
        else:
            self._put_on(vm, host, now)

    def _put_on(self, vm: VirtualMachine, host: Host, now: float) -> None:
        was_stopped = any(record.reason == Reason.STOP_RESUME for record in vm.history[-1:])
        vm.history.append(HistoryRecord(len(vm.history), host.id, host.name, int(now), prolog_stime=int(now)))
        vm.move(VmState.ACTIVE, LcmState.PROLOG_RESUME if was_stopped else LcmState.PROLOG)
        self._plan(vm, now, (2, Turn.TRANSFERRED), (3, Turn.BOOTED))

    def _transferred(self, vm: VirtualMachine, now: float) -> None:
        disks = vm.template.vectors("DISK")
        sources = [disk["SOURCE"] for disk in disks if "SOURCE" in disk and "IMAGE_ID" not in disk]
        if sources and vm.lcm_state == LcmState.PROLOG:
            try:
                self._transfer_manager.clone(vm.id, vm.owner.login, sources)
            except TransferError as error:
                self.fail(vm, f"Error excuting image transfer script: {error}", now)
                return
        record = vm.history[-1]
        record.prolog_etime = record.running_stime = int(now)
        vm.move(VmState.ACTIVE, LcmState.BOOT)

    def _booted(self, vm: VirtualMachine, now: float) -> None:
        vm.move(VmState.ACTIVE, LcmState.RUNNING)
        vm.last_poll = int(now)
        vm.deploy_id = f"one-{vm.id}"
        mebibytes = vm.template.single("MEMORY")
        vm.memory = int(mebibytes) * 1024 if mebibytes.isdecimal() else 0

    def _begin_epilog(self, epilog: LcmState, vm: VirtualMachine, now: float) -> None:
        for record in vm.history[-1:]:
            record.running_etime = record.epilog_stime = int(now)
        vm.move(VmState.ACTIVE, epilog)

    def _put_aside(self, state: VmState, vm: VirtualMachine, now: float) -> None:
        self._leave_host(vm, now, Reason.STOP_RESUME)
        vm.move(state)

    def _cleaned_to_resubmit(self, vm: VirtualMachine, now: float) -> None:
        self._transfer_manager.delete(vm.id)
        self.start(vm, now)

    def _ended(self, vm: VirtualMachine, now: float) -> None:
        if vm.is_active(LcmState.EPILOG):
            self._save(vm)
        self._transfer_manager.delete(vm.id)
        for network in self._networks.values():
            network.release(vm.id)
        self._leave_host(vm, now)
        self.halt(vm)
        vm.etime = int(now)
        vm.move(VmState.DONE)
        self._forget_the_long_done()

    def _save(self, vm: VirtualMachine) -> None:
        root = next(iter(vm.template.vectors("DISK")), {})
        if root.get("SAVE", "").upper() == "YES":
            for wanted in vm.template.vectors("CREATE_IMAGE")[:1]:
                self._transfer_manager.save(vm.id, wanted)

    def _leave_host(self, vm: VirtualMachine, now: float, reason: Reason = Reason.NONE) -> None:
        for record in vm.history[-1:]:
            if record.etime:
                return
            record.etime = int(now)
            record.reason = reason or record.reason
            if vm.lcm_state in (LcmState.PROLOG, LcmState.PROLOG_RESUME):
                record.prolog_etime = int(now)
            elif vm.lcm_state in (LcmState.EPILOG, LcmState.EPILOG_STOP):
                record.epilog_etime = int(now)
            else:
                record.running_etime = int(now)
            self._give_room(now)

    def _forget_the_long_done(self) -> None:
        done = [vm for vm in self._vms.values() if vm.state == VmState.DONE and not vm.literal]
        done.sort(key=lambda vm: (vm.etime, vm.id))
        for vm in done[:-DONE_VMS_KEPT]:
            del self._vms[vm.id]

    def _give_room(self, now: float) -> None:
        for vm_id in self._without_room:
            vm = self._vms[vm_id]
            vm.agenda = [(now, turn) for _, turn in vm.agenda]
            self._vms[vm_id] = vm
        self._without_room.clear()


def _require(possible: bool) -> None:
    if not possible:
        raise WrongStateError
