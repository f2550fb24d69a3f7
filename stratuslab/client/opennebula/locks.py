"""Locks of VMs and images: OpenNebula refuses what they forbid as if the right to it were missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stratuslab.client.errors import ForbiddenError, StratusLabError
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["explained"]

_REFUSED = re.compile(r"Not authorized to perform \w+ (VM|IMAGE) \[([0-9]{1,10})\]")
_CALLS = {"VM": "one.vm.info", "IMAGE": "one.image.info"}


def explained(error: ForbiddenError, call_for_text: Callable[[str, int], str]) -> ForbiddenError:
    """Return the error that names the lock, or the same one where it is not for a lock.

    Looks at the VM or the image (``one.vm.info``, ``one.image.info``).
    """
    refused = _REFUSED.search(error.message)
    if refused is None:
        return error
    kind, number = refused[1], int(refused[2])
    try:
        locked = parse(call_for_text(_CALLS[kind], number)).find("LOCK/LOCKED") is not None
    except (StratusLabError, DocumentError):
        return error
    if not locked:
        return error
    what = "VM" if kind == "VM" else "image"
    return ForbiddenError(
        f"{what} {number} is locked; its owner or an administrator can unlock it: {error.message}",
        location=error.location,
        operation=error.operation,
        code=error.code,
    )
