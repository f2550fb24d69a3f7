"""The faults that a sandbox has at present, and how often each has happened."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from stratuslab.sandbox.faults.operations import check_operation
from stratuslab.sandbox.faults.rule import Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class ActiveFault:
    """A fault that was added; `id` is its number.

    `matched` counts the requests that the rule is for, `fired` those of them that failed.
    """

    def __init__(self, fault_id: int, fault: Fault) -> None:
        self.id = fault_id
        self.fault = fault
        self.matched = 0
        self.fired = 0
        self._outcomes = fault.occurrence.outcomes()

    def strikes(self) -> bool:
        """Count a request that the rule is for; tell whether it fails."""
        self.matched += 1
        strikes = next(self._outcomes)
        self.fired += strikes
        return strikes

    def __repr__(self) -> str:
        return f"<ActiveFault {self.id} {str(self.fault)!r} matched={self.matched} fired={self.fired}>"


class Faults:
    """The faults of a sandbox with these locations, in the order in which they were added. Thread-safe.

    Every fault counts every request that its rule is for, whatever the others do. If several faults are for
    one request, they apply in order: a later one does not see what an earlier one stops.
    """

    def __init__(self, locations: Collection[str]) -> None:
        self._locations = locations
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: dict[int, ActiveFault] = {}

    def add(self, rule: Fault | str) -> ActiveFault:
        """Add a fault, given as an object or as a text that `Fault.parse` reads.

        ValueError for a text that is not a rule, for an operation that does not exist, and for a location
        that the sandbox does not have.
        """
        fault = Fault.parse(rule) if isinstance(rule, str) else rule
        if fault.location is not None and fault.location not in self._locations:
            raise ValueError(f"'{fault}' is for the location {fault.location}, which does not exist")
        check_operation(fault.operation)
        with self._lock:
            active = ActiveFault(next(self._ids), fault)
            self._faults[active.id] = active
        return active

    def remove(self, fault_id: int) -> None:
        """Remove a fault by its number; KeyError if it does not exist."""
        with self._lock:
            del self._faults[fault_id]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, service: str, operation: str, location: str) -> list[Fault]:
        """Count a request, described as in the request log; return its faults."""
        with self._lock:
            return [
                active.fault
                for active in self._faults.values()
                if active.fault.matches(service, operation, location) and active.strikes()
            ]

    def __iter__(self) -> Iterator[ActiveFault]:
        with self._lock:
            return iter([*self._faults.values()])

    def __len__(self) -> int:
        return len(self._faults)
