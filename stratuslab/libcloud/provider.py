"""How Libcloud finds the driver."""

from __future__ import annotations

from libcloud.common.types import Type
from libcloud.compute.providers import DRIVERS
from libcloud.compute.types import Provider

__all__ = ["STRATUSLAB", "StratusLabProvider", "register"]


class StratusLabProvider(Type):
    """Libcloud's ``Provider`` cannot be extended: this is the member it lacks."""

    STRATUSLAB = "stratuslab"


STRATUSLAB = StratusLabProvider.STRATUSLAB
"""``Provider.STRATUSLAB``, for code whose types are checked."""


def register(module: str, class_name: str) -> None:
    """Make ``Provider.STRATUSLAB`` and the driver known to Libcloud; again is no error.

    The mixed case of the key lets every way of asking through: Libcloud looks for the exact key
    first and then without regard to case, so ``get_driver`` finds it under any spelling while
    ``set_driver("stratuslab", …)``, which refuses a key that is taken, still works.
    """
    Provider.STRATUSLAB = STRATUSLAB  # type: ignore[attr-defined]
    DRIVERS.setdefault("StratusLab", (module, class_name))  # type: ignore[arg-type]
