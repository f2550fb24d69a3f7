"""A StratusLab cloud on this machine, for trying, testing and developing.

`Sandbox` is the cloud; its compute service, PDisk and Marketplace answer over HTTP as those of release 14.06
did. `Clock`, `RequestLog` and `Faults` are what a test looks at and turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.faults.active_faults import ActiveFault, Faults
from stratuslab.sandbox.faults.rule import Fault
from stratuslab.sandbox.http.request_log import LoggedRequest, RequestLog

if TYPE_CHECKING:
    from stratuslab.sandbox.sandbox import Sandbox

__all__ = ["ActiveFault", "Clock", "Fault", "Faults", "LoggedRequest", "RequestLog", "Sandbox"]


def __getattr__(name: str) -> object:
    """Import what needs Werkzeug when it is asked for, so that the command can tell if that is missing."""
    if name == "Sandbox":
        from stratuslab.sandbox.sandbox import Sandbox

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
