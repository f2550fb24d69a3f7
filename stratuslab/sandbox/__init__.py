"""A StratusLab cloud on this machine, for trying, testing and developing.

`Sandbox` is the cloud; its compute service, PDisk and Marketplace answer over HTTP as those of release 14.06
did. `Clock`, `RequestLog` and `Faults` are what a test looks at and turns.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.faults.active_faults import ActiveFault, Faults
    from stratuslab.sandbox.faults.rule import Fault
    from stratuslab.sandbox.http.request_log import LoggedRequest, RequestLog
    from stratuslab.sandbox.sandbox import Sandbox

__all__ = ["ActiveFault", "Clock", "Fault", "Faults", "LoggedRequest", "RequestLog", "Sandbox"]

_MODULES = {
    "ActiveFault": "faults.active_faults",
    "Clock": "clock",
    "Fault": "faults.rule",
    "Faults": "faults.active_faults",
    "LoggedRequest": "http.request_log",
    "RequestLog": "http.request_log",
    "Sandbox": "sandbox",
}
EXTRA = ("asyncssh", "cryptography", "markupsafe", "werkzeug")


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: pytest loads this package in every run, needed or not.

    ModuleNotFoundError says what to install if a package of the extra is missing.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        install = "pip install 'stratuslab-libcloud-drivers[sandbox]'"
        text = f"the sandbox needs the package {error.name}; install it with: {install}"
        raise ModuleNotFoundError(text, name=error.name) from error
