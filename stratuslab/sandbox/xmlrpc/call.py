"""What an XML-RPC call consists of, independent of its XML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value: TypeAlias = object
Scalar: TypeAlias = str | int | bool
Result: TypeAlias = "Scalar | Sequence[Result] | Mapping[str, Result]"


class LongInteger(int):
    """An integer that is written as `<i8>`."""


class XmlRpcError(Exception):
    """A call that was not carried out; `code` is the one of xmlrpc-c."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class MethodCall:
    """A call, with its parameters as Python's types."""

    method: str
    parameters: tuple[Value, ...]
