"""What the names of OpenNebula's objects may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stratuslab.sandbox.opennebula.refusals import KINDS, Code, RefusalError

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_LIMIT = 128
"""How many bytes a name may have."""

_REFUSED = "&|:\\\";/'#{}$<>"


class _Named(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> int: ...


def fault_of_name(name: str) -> str:
    """Return what is wrong with a name from 5.12 on; empty if it may be one."""
    if not name:
        return "Invalid NAME, it cannot be empty"
    refused = next((character for character in name if character in _REFUSED), None)
    if refused is not None:
        return f"Invalid NAME, char '{refused}' is not allowed"
    if len(name.encode()) > NAME_LIMIT:
        return f"Invalid NAME, max length is {NAME_LIMIT} chars"
    return ""


def fault_if_taken(name: str, uid: int, objects: Iterable[_Named], kind: str) -> str:
    """Return what is wrong with a name that another object of this owner has; empty if none has it."""
    ids = (item.id for item in objects if (item.name, item.uid) == (name, uid))
    return next((f"NAME is already taken by {kind} {number}." for number in ids), "")


def check_name(name: str, kind: str, fault: str) -> None:
    """Refuse the name of a new object of 3.2 if it is impossible, or for another `fault` that it has."""
    if not name:
        fault = "NAME cannot be empty."
    elif len(name.encode()) > NAME_LIMIT:
        fault = f"NAME is too long; max length is {NAME_LIMIT} chars."
    elif not fault and {"<", "&"} & {*name}:
        fault = f"Error transforming the {KINDS[kind].title()} to XML."
    if fault:
        raise RefusalError(Code.INTERNAL, f"Error allocating a new {KINDS[kind]}. {fault}")
