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
    """A fault which has been added; `id` is its number.

    `matched` counts the requests which the rule is for, `fired` those among them which it came upon.
    """

    def __init__(self, fault_id: int, fault: Fault) -> None:
        self.id = fault_id
        self.fault = fault
        self.matched = 0
        self.fired = 0
        self._outcomes = fault.occurrence.outcomes()

    def strikes(self) -> bool:
        """Count a request which the rule is for, and tell whether the fault comes upon it."""
        self.matched += 1
        strikes = next(self._outcomes)
        self.fired += strikes
        return strikes

    def __repr__(self) -> str:
        return f"<ActiveFault {self.id} {str(self.fault)!r} matched={self.matched} fired={self.fired}>"


class Faults:
    """The faults of a sandbox with these locations, in the order in which they were added. Thread-safe.

    Every fault counts every request which its rule is for, whatever the others do. Of several which come
    upon a request, each stands before the later ones: what it does not let through never comes to them.
    """

    def __init__(self, locations: Collection[str]) -> None:
        self._locations = locations
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: dict[int, ActiveFault] = {}

    def add(self, rule: Fault | str) -> ActiveFault:
        """Add a fault, which a text describes as `Fault.parse` reads it.

        ValueError for a text that is no rule, for an operation that does not exist, and for a location that
        the sandbox does not have.
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
        """Remove a fault by its number; KeyError if there is none."""
        with self._lock:
            del self._faults[fault_id]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, service: str, operation: str, location: str) -> list[Fault]:
        """Count a request, described in the terms of the request log; return the faults that come upon it."""
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
