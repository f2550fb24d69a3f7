"""What the requests to OpenNebula have in common: arguments, error codes and error texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.names import NAME_LIMIT
from stratuslab.sandbox.xmlrpc.call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.xmlrpc.call import Value

    Requests: TypeAlias = Mapping[str, Callable[[User, "Arguments"], str | int]]

_MINE = -3
_ALL = -2
_MINE_AND_GROUP = -1


class ErrorCode(IntEnum):
    """The third value of an answer."""

    SUCCESS = 0
    AUTHENTICATION = 0x0100
    AUTHORIZATION = 0x0200
    NO_EXISTS = 0x0400
    ACTION = 0x0800
    XML_RPC_API = 0x1000
    INTERNAL = 0x2000


class FaultCode(IntEnum):
    """The codes of xmlrpc-c for calls that never reach OpenNebula's own code."""

    TYPE = -501
    INDEX = -502
    PARSE = -503
    NO_SUCH_METHOD = -506


class RequestError(Exception):
    """A request that OpenNebula refuses; the text does not name the request."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def missing(kind: str, object_id: int) -> RequestError:
    """Make the error for an object which does not exist."""
    return RequestError(ErrorCode.NO_EXISTS, f"Error getting {kind} [{object_id}].")


def forbidden(user: User, text: str) -> RequestError:
    """Make the error for what this user may not do."""
    return RequestError(ErrorCode.AUTHORIZATION, f"User [{user.uid}] : {text}.")


def not_authorized(user: User, what: str, object_id: int = -1) -> RequestError:
    """Make the error for a missing right (`USE VM`) of a user, on one object or on all."""
    which = f" [{object_id}]" if object_id >= 0 else ""
    return forbidden(user, f"Not authorized to perform {what}{which}")


def required_name(name: str, taken: Mapping[str, int], kind: str, what: str) -> str:
    """Check the name of a new object; RequestError if it is empty, or if an object (by id) has it already."""
    if not name:
        reason = "NAME cannot be empty."
    elif len(name.encode()) > NAME_LIMIT:
        reason = f"NAME is too long; max length is {NAME_LIMIT} chars."
    elif name in taken:
        reason = f"NAME is already taken by {kind} {taken[name]}."
    elif {"<", "&"} & {*name}:
        reason = f"Error transforming the {what.title()} to XML."
    else:
        return name
    raise RequestError(ErrorCode.INTERNAL, f"Error allocating a new {what}. {reason}")


class Arguments:
    """The arguments of a call; each one is fetched with the type that it must have.

    Arguments that nobody fetches are ignored. A missing argument, or a wrong type, is an XmlRpcError.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values

    def string(self, index: int) -> str:
        """Return a string."""
        value = self._fetch(index)
        if not isinstance(value, str):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a string is not")
        return value

    def integer(self, index: int) -> int:
        """Return an integer; a boolean is not one."""
        value = self._fetch(index)
        if not isinstance(value, int) or isinstance(value, bool):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be integer is not")
        return value

    def boolean(self, index: int) -> bool:
        """Return a boolean."""
        value = self._fetch(index)
        if not isinstance(value, bool):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a boolean is not")
        return value

    def has(self, index: int) -> bool:
        """Tell whether there are that many arguments."""
        return index < len(self._values)

    def _fetch(self, index: int) -> Value:
        if index >= len(self._values):
            raise XmlRpcError(FaultCode.TYPE, "Not enough parameters")
        return self._values[index]


@dataclass(frozen=True)
class Selection:
    """Which objects of a pool are asked for: the first three arguments of the pools' requests."""

    filter_flag: int
    start_id: int
    end_id: int

    @classmethod
    def of(cls, arguments: Arguments) -> Selection:
        """Read the selection; raises XmlRpcError, RequestError."""
        selection = cls(arguments.integer(0), arguments.integer(1), arguments.integer(2))
        if selection.filter_flag < _MINE:
            raise RequestError(ErrorCode.XML_RPC_API, "Incorrect filter_flag")
        return selection

    def has_id(self, object_id: int) -> bool:
        """Tell whether the object is in the range of ids, of which -1 means no limit."""
        if self.start_id == -1:
            return True
        return self.start_id <= object_id and (self.end_id == -1 or object_id <= self.end_id)

    def has_owner(self, owner: User, user: User, *, usable: bool) -> bool:
        """Tell whether an object of that owner is asked for; `usable` says whether the user may use it."""
        if self.filter_flag == _MINE:
            return owner.uid == user.uid
        if self.filter_flag == _MINE_AND_GROUP:
            return usable and (owner.uid == user.uid or owner.gid == user.gid)
        return usable and self.filter_flag in (_ALL, owner.uid)
