"""What oned of every release has for tests and pages besides its calls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from stratuslab.sandbox.opennebula.model.states import InState, LcmState, VmState

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from stratuslab.sandbox.clock import Clock

V = TypeVar("V", bound=InState)
_V = TypeVar("_V", bound=InState, contravariant=True)


class _LifeCycle(Protocol[_V]):
    def advance(self, now: float) -> None: ...
    def halt(self, vm: _V) -> None: ...
    def fail(self, vm: _V, message: str, now: float) -> None: ...


class AnyOned(Generic[V]):
    """An oned with VMs, which tests can put into any state. Thread-safe.

    The methods raise KeyError for a VM that does not exist. Hold `lock` (re-entrant) to look at `vms`, which
    has the VMs by their ids.
    """

    def __init__(
        self,
        vms: MutableMapping[int, V],
        document: Callable[[V], str],
        life_cycle: _LifeCycle[V],
        clock: Clock,
    ) -> None:
        self.lock = threading.RLock()
        self.vms = vms
        self._document = document
        self._life = life_cycle
        self._clock = clock

    def advance(self) -> None:
        """Carry out everything that is due by now; each call does this first."""
        with self.lock:
            self._life.advance(self._clock.now())

    def fail(self, vm_id: int, message: str) -> None:
        """Let a VM fail with a message, shown in its document: FAILED with 3.2, later BOOT_FAILURE."""
        with self.lock:
            self.advance()
            self._life.fail(self.vms[vm_id], message, self._clock.now())

    def set_state(self, vm_id: int, state: int, lcm_state: int = LcmState.LCM_INIT) -> None:
        """Put a VM into a state, where it stays until an action is asked for; nothing else changes."""
        with self.lock:
            self.advance()
            vm = self.vms[vm_id]
            self._life.halt(vm)
            vm.move(state, lcm_state)
            self.vms[vm_id] = vm

    def document(self, vm_id: int) -> str:
        """Return a VM as one.vm.info shows it."""
        with self.lock:
            self.advance()
            return self._document(self.vms[vm_id])

    def newest_documents(self, limit: int) -> list[str]:
        """Return at most this many VMs as one.vm.info shows them, newest first, the DONE ones at the end."""
        with self.lock:
            self.advance()
            vms = sorted(self.vms.items(), key=lambda item: (item[1].state == VmState.DONE, -item[0]))
            return [self._document(vm) for _, vm in vms[:limit]]
