"""Orders to VMs: with OpenNebula 5.12 and later, accepted is not done.

The cloud answers True and may fail later without saying so; for a moment the VM shows its old state; and in
passing states, for example while it boots, the cloud refuses an order that it accepts a second later. So the
VM is looked at (``one.vm.info``) until the order is seen to be carried out, within the time-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stratuslab.client.errors import (
    ConflictError,
    NotFoundError,
    ServiceError,
    StratusLabError,
    outcome_unknown,
)
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.opennebula.waiting import Pauses, until_seen
from stratuslab.client.transport.failures import in_doubt
from stratuslab.client.transport.settlement import grace_after, settled, unsettled

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.monitor import Monitor
    from stratuslab.client.opennebula.rpc import Rpc
    from stratuslab.client.opennebula.vm import VirtualMachine

__all__ = ["Orders", "VmAction"]

VmAction = Literal["destroy", "shutdown", "reboot", "stop", "suspend", "start"]

_METHOD = "one.vm.action"
_OLD_STATE_SECONDS = 2.0
"""Seconds without any effect after which an accepted order counts as failed; 0.1 was measured."""
_LEAVING_SECONDS = 2.0
"""Seconds for which an ending VM is watched: copying its disks back may take minutes."""
_PASSING = frozenset(
    {VmState.PENDING, VmState.STARTING, VmState.MIGRATING, VmState.STOPPING, VmState.TERMINATING}
)


@dataclass(frozen=True)
class _Course:
    """What is seen of a VM that carries out an order: at the end, and on the way there."""

    ends: frozenset[str]
    passes: frozenset[VmState]
    enough: frozenset[VmState] = frozenset()
    """States on the way that are enough when the time is over."""
    is_long: bool = False
    """Whether the guest decides how long it takes: the VM is only watched for a while."""


_COURSES: dict[VmAction, _Course] = {
    "shutdown": _Course(
        frozenset({"DONE"}), frozenset({VmState.TERMINATING}), frozenset({VmState.TERMINATING}), is_long=True
    ),
    "stop": _Course(frozenset({"POWEROFF"}), frozenset({VmState.STOPPING})),
    "suspend": _Course(frozenset({"SUSPENDED"}), frozenset({VmState.STOPPING})),
    "start": _Course(
        frozenset({"RUNNING", "PENDING"}), frozenset({VmState.STARTING}), frozenset({VmState.STARTING})
    ),
}


class Orders:
    """Orders to the VMs of one cloud."""

    def __init__(self, cloud: Cloud, rpc: Rpc, monitor: Monitor) -> None:
        self._cloud = cloud
        self._rpc = rpc
        self._monitor = monitor

    def give(self, vm_id: int, action: VmAction) -> None:
        """Give an order (``one.vm.action``), and see it carried out where the release asks for that.

        :raises ConflictError: which names the VM's state, if the order is not carried out.
        """
        front_end = self._rpc.front_end
        word: str = getattr(front_end, action)
        if not front_end.accepted_is_not_done:
            self._send_naming_the_state(word, vm_id, repeatable=action == "destroy")
        elif action == "destroy":
            self._destroy(word, vm_id)
        elif action in _COURSES:
            self._send_or_see(word, vm_id, _COURSES[action])
            self._watch(vm_id, word, _COURSES[action])
        else:
            self._send(word, vm_id, repeatable=False)

    def _send_or_see(self, word: str, vm_id: int, course: _Course) -> None:
        """Send an order, or see that it is carried out although a server in between refused it."""

        def under_way() -> VirtualMachine | None:
            vm = self._monitor.describe_vm(vm_id)
            return vm if vm.state_label in course.ends or vm.state in course.passes else None

        try:
            self._send(word, vm_id, repeatable=False)
        except ServiceError as error:
            if outcome_unknown(error):
                raise
            if settled(error, under_way, self._cloud.timeout) is None:
                raise unsettled(error) from error

    def _send_naming_the_state(self, word: str, vm_id: int, *, repeatable: bool) -> None:
        try:
            self._send(word, vm_id, repeatable=repeatable)
        except ConflictError as error:
            try:
                vm = self._monitor.describe_vm(vm_id)
            except StratusLabError:
                raise error from None
            raise self._refused(word, vm, error) from error

    def _send(self, word: str, vm_id: int, *, repeatable: bool) -> None:
        try:
            value = self._rpc.call(_METHOD, word, vm_id, changes=True, repeatable=repeatable)
        except ServiceError as error:
            doubt = in_doubt(error)
            if doubt is error:
                raise
            raise doubt from error
        if isinstance(value, bool) or not isinstance(value, int) or value != vm_id:
            raise self._rpc.malformed(_METHOD, f"it is not about VM {vm_id}")

    def _watch(self, vm_id: int, word: str, course: _Course) -> None:
        old = Pauses(min(_OLD_STATE_SECONDS, self._cloud.timeout))
        was_seen = False

        def done(vm: VirtualMachine) -> bool:
            nonlocal was_seen
            if vm.state_label in course.ends:
                return True
            on_the_way = vm.state in course.passes
            was_seen = was_seen or on_the_way
            if not on_the_way and (was_seen or old.over):
                raise self._failed(word, vm)
            return False

        try:
            seconds = min(_LEAVING_SECONDS, self._cloud.timeout) if course.is_long else self._cloud.timeout
            vm = until_seen(lambda: self._monitor.describe_vm(vm_id), done, seconds)
        except NotFoundError:
            if "DONE" in course.ends:
                return
            raise
        if vm.state_label not in course.ends and vm.state not in course.enough:
            raise self._late(word, vm)

    def _destroy(self, word: str, vm_id: int) -> None:
        pauses = Pauses(self._cloud.timeout)
        while True:
            try:
                self._send(word, vm_id, repeatable=True)
            except ConflictError as error:
                vm = self._monitor.describe_vm(vm_id)
                if vm.state_label == "DONE":
                    return
                if vm.state_label == "EPILOG":
                    break
                is_passing = vm.state in _PASSING or _is_busy(vm)
                # The state that the order was refused for may have ended since the refusal.
                if not pauses.wait() or not (is_passing or "wrong state" in error.message):
                    raise self._refused(word, vm, error) from error
            except StratusLabError as error:
                if grace_after(error, self._cloud.timeout) is None:
                    raise
                if not self._leaves(vm_id):
                    raise
                return
            else:
                break
        self._see_off(vm_id, word)

    def _leaves(self, vm_id: int) -> bool:
        """Return whether a VM is seen to leave after a lost answer."""
        try:
            vm = until_seen(
                lambda: self._monitor.describe_vm(vm_id),
                lambda vm: vm.state_label in ("EPILOG", "DONE"),
                min(_OLD_STATE_SECONDS, self._cloud.timeout),
            )
        except NotFoundError:
            return True
        except StratusLabError:
            return False
        return vm.state_label in ("EPILOG", "DONE")

    def _see_off(self, vm_id: int, word: str) -> None:
        """Look at a VM until it is gone, or has been leaving for a while."""
        old = Pauses(min(_OLD_STATE_SECONDS, self._cloud.timeout))
        leaving: Pauses | None = None
        was_seen = False

        def gone(vm: VirtualMachine) -> bool:
            nonlocal leaving, was_seen
            if vm.state_label == "DONE":
                return True
            if vm.state_label == "EPILOG":
                leaving = leaving or Pauses(_LEAVING_SECONDS)
                return leaving.over
            on_the_way = vm.state is VmState.TERMINATING
            was_seen = was_seen or on_the_way or leaving is not None
            if not on_the_way and (was_seen or old.over):
                raise self._failed(word, vm)
            return False

        try:
            vm = until_seen(lambda: self._monitor.describe_vm(vm_id), gone, self._cloud.timeout)
        except NotFoundError:
            return
        if vm.state_label not in ("DONE", "EPILOG"):
            raise self._late(word, vm)

    def _failed(self, word: str, vm: VirtualMachine) -> ConflictError:
        why = f": {self._rpc.connection.quotable(vm.error)}" if vm.error else ""
        return self._conflict(
            f"the cloud accepted the order {word!r} and failed; VM {vm.id} is {vm.state_label}{why}"
        )

    def _late(self, word: str, vm: VirtualMachine) -> ConflictError:
        return self._conflict(
            f"the cloud accepted the order {word!r}, and VM {vm.id} is still {vm.state_label} after "
            f"{self._cloud.timeout:g} s; it may be carried out later"
        )

    def _refused(self, word: str, vm: VirtualMachine, error: ConflictError) -> ConflictError:
        return self._conflict(
            f"VM {vm.id} is {vm.state_label}; in this state the cloud refuses {word!r}: {error.message}"
        )

    def _conflict(self, problem: str) -> ConflictError:
        return ConflictError(problem, location=self._cloud.location, operation=_METHOD)


def _is_busy(vm: VirtualMachine) -> bool:
    """Return whether a VM does something that ends by itself."""
    return vm.state_label.startswith(("HOTPLUG", "DISK_SNAPSHOT", "DISK_RESIZE", "BACKUP", "RESTORE"))
