"""Why OpenNebula refuses a request."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.permissions import Caller

KINDS = {
    "VM": "virtual machine",
    "IMAGE": "image",
    "NET": "virtual network",
    "DATASTORE": "datastore",
    "TEMPLATE": "virtual machine template",
    "HOST": "host",
    "USER": "user",
    "GROUP": "group",
}
"""How refusals call the kinds of objects."""


class Code(IntEnum):
    """The third value of an answer."""

    AUTHENTICATION = 0x0100
    AUTHORIZATION = 0x0200
    NO_EXISTS = 0x0400
    ACTION = 0x0800
    API = 0x1000
    INTERNAL = 0x2000
    ALLOCATE = 0x4000


class RefusalError(Exception):
    """A request that is refused; the text goes without the name of the method."""

    def __init__(self, code: Code, text: str, object_id: int = -1) -> None:
        super().__init__(text)
        self.code = code
        self.object_id = object_id


def missing(kind: str, object_id: int) -> RefusalError:
    """Make the refusal for an object that does not exist; `kind` is one of `KINDS`."""
    return RefusalError(Code.NO_EXISTS, f"Error getting {KINDS[kind]} [{object_id}].", object_id)


def forbidden(user: Caller, text: str) -> RefusalError:
    """Make the refusal for what this user may not do."""
    return RefusalError(Code.AUTHORIZATION, f"User [{user.uid}] : {text}")


def not_authorized(user: Caller, what: str, object_id: int = -1) -> RefusalError:
    """Make the refusal for a right (`USE VM`) that a user does not have, on one object or on all."""
    which = f" [{object_id}]" if object_id >= 0 else ""
    return forbidden(user, f"Not authorized to perform {what}{which}.")


def not_done_here() -> RefusalError:
    """Make the refusal for what the real OpenNebula does and the sandbox does not."""
    return RefusalError(Code.INTERNAL, "The sandbox does not do this.")
