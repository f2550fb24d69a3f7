"""What can be asked of objects of every kind: look, list, rename, update, lock, change permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from stratuslab.sandbox.opennebula.current.objects import Account, PoolObject
from stratuslab.sandbox.opennebula.model.documents import pool
from stratuslab.sandbox.opennebula.model.names import fault_of_name
from stratuslab.sandbox.opennebula.model.permissions import changed, found
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.requests.request import Request as RequestOf
from stratuslab.sandbox.opennebula.requests.request import Requests as RequestsOf
from stratuslab.sandbox.opennebula.requests.request import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stratuslab.sandbox.table import Table

Request: TypeAlias = RequestOf[Account]
Requests: TypeAlias = RequestsOf[Account]
_O = TypeVar("_O", bound=PoolObject)
_LOCKS = {1: 1, 2: 2, 3: 3, 4: 1}
"""The locks by the level that is asked for: on use, on changes, on administration, on everything."""


def changing(
    table: Table[int, _O], kind: str, change: Callable[[Request, _O], int | None]
) -> Callable[[Request], int]:
    """Return what answers a request to change an object, whose id is the first argument.

    The user needs the right MANAGE. The answer is what `change` returns, for None the object's id.
    """

    def answer(request: Request) -> int:
        item = found(table, request.user, request.arguments.integer(0), "MANAGE", kind)
        value = change(request, item)
        table[item.id] = item
        return item.id if value is None else value

    return answer


def unlocking(table: Table[int, _O], kind: str) -> Callable[[Request], int]:
    """Return what answers a request to unlock an object, which its owner may do."""

    def answer(request: Request) -> int:
        item = found(table, request.user, request.arguments.integer(0), "MANAGE", kind, heeds_lock=False)
        if not item.lock:
            raise RefusalError(Code.ACTION, "Cannot unlock: Lock is owned by another user")
        item.lock = 0
        table[item.id] = item
        return item.id

    return answer


def locking(table: Table[int, _O], kind: str) -> Callable[[Request], int]:
    """Return what answers a request to lock an object, also one that is locked, which its owner may do."""

    def answer(request: Request) -> int:
        item = found(table, request.user, request.arguments.integer(0), "MANAGE", kind, heeds_lock=False)
        level = request.arguments.integer(1)
        if level not in _LOCKS:
            raise RefusalError(Code.ACTION, "Wrong lock level specified")
        item.lock, item.locked_at = _LOCKS[level], int(request.now)
        table[item.id] = item
        return item.id

    return answer


def rename(request: Request, item: PoolObject, taken: str = "") -> None:
    """Give an object another name; raises RefusalError, also if the name is `taken`."""
    name = request.arguments.string(1)
    if fault := fault_of_name(name) or taken:
        raise RefusalError(Code.ACTION, fault)
    item.name = name


def change_permissions(request: Request, item: PoolObject) -> None:
    """Change who may do what with an object."""
    item.permissions = changed(item.permissions, request.arguments)


def listed(
    request: Request,
    items: Iterable[_O],
    tag: str,
    document: Callable[[_O], str],
    usable: Callable[[_O], bool] | None = None,
) -> str:
    """Return the pool of those objects that are asked for, newest first; raises RefusalError."""
    newest = sorted(items, key=lambda item: -item.id)
    picked = Selection.of(request.arguments).pick(newest, request.user, usable)
    return pool(tag, map(document, picked))
