"""Who may do what with OpenNebula's objects.

Permissions are nine digits: use, manage and administrate, of the owner, the group and all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from stratuslab.sandbox.opennebula.refusals import missing, not_authorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.sandbox.opennebula.requests.request import Arguments

OWNER_ONLY = "110000000"
USED_BY_GROUP = "110100000"
USED_BY_ALL = "110100100"
_RIGHTS = ("USE", "MANAGE", "ADMIN")
_WORK = 1
"""The lock of an object with which its owner cannot even work, only look at it."""


class Caller(Protocol):
    """A user who asks for something."""

    @property
    def uid(self) -> int:
        """The number of the user."""

    @property
    def gid(self) -> int:
        """The number of the user's group."""

    @property
    def is_admin(self) -> bool:
        """Whether the user may see and do everything."""


class Owned(Protocol):
    """An object that belongs to somebody; `lock` is 0 unless it is locked."""

    @property
    def id(self) -> int:
        """The number of the object among those of its kind."""

    @property
    def uid(self) -> int:
        """The number of the owner."""

    @property
    def gid(self) -> int:
        """The number of the owner's group."""

    @property
    def name(self) -> str:
        """The name of the object."""

    @property
    def permissions(self) -> str:
        """Nine digits."""

    @property
    def lock(self) -> int:
        """The level of the lock."""


_O = TypeVar("_O", bound=Owned)


def may(user: Caller, item: Owned, right: str) -> bool:
    """Tell whether a user has a right (USE, MANAGE, ADMIN) on an object.

    USE is to look at it, whatever its lock. A lock of level 1 or 2 forbids MANAGE and ADMIN, one of level 3
    ADMIN.
    """
    if right != "USE" and 0 < item.lock <= _RIGHTS.index(right) + 1 and not user.is_admin:
        return False
    return _is_permitted(user, item, right)


def may_work_with(user: Caller, item: Owned) -> bool:
    """Tell whether a user may take an object for a new one, which a lock of level 1 forbids."""
    return _is_permitted(user, item, "USE") and (item.lock != _WORK or user.is_admin)


def _is_permitted(user: Caller, item: Owned, right: str) -> bool:
    owner, group, others = (digit == "1" for digit in item.permissions[_RIGHTS.index(right) :: 3])
    return user.is_admin or others or (owner and user.uid == item.uid) or (group and user.gid == item.gid)


def found(
    table: Mapping[int, _O], user: Caller, object_id: int, right: str, kind: str, *, heeds_lock: bool = True
) -> _O:
    """Find an object on which the user has a right; raises RefusalError. `kind` is one of `KINDS`."""
    if object_id < 0 and not user.is_admin:
        raise not_authorized(user, f"{right} {kind}")
    if object_id not in table:
        raise missing(kind, object_id)
    allows = may if heeds_lock else _is_permitted
    if not allows(user, table[object_id], right):
        raise not_authorized(user, f"{right} {kind}", object_id)
    return table[object_id]


def changed(permissions: str, arguments: Arguments) -> str:
    """Return the permissions that a chmod makes of these: 1 and 0 set a digit, -1 keeps it."""
    pairs = [(digit, arguments.integer(index)) for index, digit in enumerate(permissions, 1)]
    return "".join(digit if bit not in (0, 1) else str(bit) for digit, bit in pairs)
