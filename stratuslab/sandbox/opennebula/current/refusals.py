"""Why OpenNebula refuses a request."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.objects import Account


class Code(IntEnum):
    """The third value of an answer."""

    AUTHENTICATION = 256
    AUTHORIZATION = 512
    NO_EXISTS = 1024
    ACTION = 2048
    API = 4096
    INTERNAL = 8192
    ALLOCATE = 16384


class RefusalError(Exception):
    """A request that is refused; the text goes without the name of the method."""

    def __init__(self, code: Code, text: str, object_id: int = -1) -> None:
        super().__init__(text)
        self.code = code
        self.object_id = object_id


def missing(kind: str, object_id: int) -> RefusalError:
    """Make the refusal for an object that does not exist."""
    return RefusalError(Code.NO_EXISTS, f"Error getting {kind} [{object_id}].", object_id)


def forbidden(user: Account, text: str) -> RefusalError:
    """Make the refusal for what this user may not do."""
    return RefusalError(Code.AUTHORIZATION, f"User [{user.id}] : {text}")


def not_authorized(user: Account, what: str, object_id: int = -1) -> RefusalError:
    """Make the refusal for a right (`USE VM`) that a user has not, on one object or on all."""
    which = f" [{object_id}]" if object_id >= 0 else ""
    return forbidden(user, f"Not authorized to perform {what}{which}.")
