"""What the requests to OpenNebula have in common: who asks, with which arguments, and for which objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from stratuslab.sandbox.opennebula.model.permissions import Caller, Owned, may
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.template.template import TemplateError
from stratuslab.sandbox.xmlrpc.call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stratuslab.sandbox.opennebula.template.template import Template
    from stratuslab.sandbox.xmlrpc.call import Value

_MINE_AND_GROUP, _ALL, _MINE, _GROUP = -1, -2, -3, -4
_O = TypeVar("_O", bound=Owned)
U = TypeVar("U", bound=Caller)


class FaultCode(IntEnum):
    """The codes of xmlrpc-c for calls that never reach OpenNebula's own code."""

    TYPE = -501
    INDEX = -502
    PARSE = -503
    NO_SUCH_METHOD = -506


class Arguments:
    """The arguments of a call; each one is fetched with the type that it must have.

    Arguments that nobody fetches are ignored. A wrong type is an XmlRpcError, as is a missing argument that
    has no default.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values

    def string(self, index: int, default: str | None = None) -> str:
        """Return a string."""
        value = self._fetch(index, default)
        if not isinstance(value, str):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a string is not")
        return value

    def integer(self, index: int, default: int | None = None) -> int:
        """Return an integer; a boolean is not one."""
        value = self._fetch(index, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be integer is not")
        return value

    def boolean(self, index: int, *, default: bool | None = None) -> bool:
        """Return a boolean."""
        value = self._fetch(index, default)
        if not isinstance(value, bool):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a boolean is not")
        return value

    def _fetch(self, index: int, default: Value) -> Value:
        if index < len(self._values):
            return self._values[index]
        if default is None:
            raise XmlRpcError(FaultCode.TYPE, "Not enough parameters")
        return default


@dataclass(frozen=True)
class Request(Generic[U]):
    """A request of a user at a time, in Unix seconds; `read` reads templates as the release does.

    `driver` tells how the driver that is to carry it out will fail; empty if it will not.
    """

    user: U
    arguments: Arguments
    now: float
    read: Callable[[str], Template]
    driver: str = ""

    def template(
        self, index: int, prefix: str = "", code: Code = Code.INTERNAL, default: str | None = None
    ) -> Template:
        """Return the template in an argument; raises RefusalError with the prefix if it is not one."""
        text = self.arguments.string(index, default)
        try:
            return self.read(text)
        except TemplateError as error:
            raise RefusalError(code, f"{prefix}{error}") from error


@dataclass(frozen=True)
class Selection:
    """Which objects of a pool are asked for: the first three arguments of the pools' requests.

    Releases from 5.12 on know pages: `last` below -1 is the negative number of objects, `first` how many are
    left out before.
    """

    filter_flag: int
    first: int
    last: int
    has_pages: bool

    @classmethod
    def of(cls, arguments: Arguments, *, has_pages: bool = True) -> Selection:
        """Read the selection; raises XmlRpcError, RefusalError."""
        selection = cls(arguments.integer(0), arguments.integer(1), arguments.integer(2), has_pages)
        if selection.filter_flag < (_GROUP if has_pages else _MINE):
            raise RefusalError(Code.API, "Incorrect filter_flag")
        return selection

    def pick(self, items: Iterable[_O], user: Caller, usable: Callable[[_O], bool] | None = None) -> list[_O]:
        """Return those objects that are asked for; `usable` says which ones the user may use."""
        is_page = self.has_pages and self.first >= 0 and self.last < -1
        picked = [
            item
            for item in items
            if (is_page or self.has_id(item.id))
            and self._has_owner(item, user, usable=usable(item) if usable else may(user, item, "USE"))
        ]
        return picked[self.first : self.first - self.last] if is_page else picked

    def has_id(self, object_id: int) -> bool:
        """Tell whether an object is in the range of ids."""
        return self.first < 0 or (self.first <= object_id and (self.last == -1 or object_id <= self.last))

    def _has_owner(self, item: Owned, user: Caller, *, usable: bool) -> bool:
        is_mine = item.uid == user.uid
        if self.filter_flag == _MINE:
            return is_mine
        if self.filter_flag == _GROUP:
            return usable and item.gid == user.gid
        if self.filter_flag == _MINE_AND_GROUP:
            return usable and (is_mine or item.gid == user.gid)
        return usable and self.filter_flag in (_ALL, item.uid)


Requests: TypeAlias = Mapping[str, Callable[[Request[U]], str | int]]
"""What answers each method."""
