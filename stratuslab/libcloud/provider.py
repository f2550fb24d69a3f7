"""How Libcloud finds the driver."""

from __future__ import annotations

from libcloud.common.types import Type
from libcloud.compute.providers import DRIVERS
from libcloud.compute.types import Provider

__all__ = [
    "OPENNEBULA_XMLRPC",
    "STRATUSLAB",
    "OpenNebulaProvider",
    "StratusLabProvider",
    "register",
    "register_opennebula",
]


class StratusLabProvider(Type):
    """Libcloud's ``Provider`` cannot be extended: this is the member it lacks."""

    STRATUSLAB = "stratuslab"


STRATUSLAB = StratusLabProvider.STRATUSLAB
"""``Provider.STRATUSLAB``, for code whose types are checked."""


class OpenNebulaProvider(Type):
    """The member for OpenNebula's XML-RPC; Libcloud's own ``OPENNEBULA`` speaks OCCI, which is gone."""

    OPENNEBULA_XMLRPC = "opennebula_xmlrpc"


OPENNEBULA_XMLRPC = OpenNebulaProvider.OPENNEBULA_XMLRPC
"""``Provider.OPENNEBULA_XMLRPC``, for code whose types are checked."""


def register(module: str, class_name: str) -> None:
    """Make ``Provider.STRATUSLAB`` and the driver known to Libcloud; repeating this is no error.

    The mixed case of the key allows every way of asking: Libcloud looks for the exact key
    first and then without regard to case, so ``get_driver`` finds it under any spelling while
    ``set_driver("stratuslab", …)``, which refuses a key that is taken, still works.
    """
    Provider.STRATUSLAB = STRATUSLAB  # type: ignore[attr-defined]
    DRIVERS.setdefault("StratusLab", (module, class_name))  # type: ignore[arg-type]


def register_opennebula(module: str, class_name: str) -> None:
    """Make ``Provider.OPENNEBULA_XMLRPC`` and its driver known to Libcloud, as :func:`register` does."""
    Provider.OPENNEBULA_XMLRPC = OPENNEBULA_XMLRPC  # type: ignore[attr-defined]
    DRIVERS.setdefault("OpenNebula_XMLRPC", (module, class_name))  # type: ignore[arg-type]
