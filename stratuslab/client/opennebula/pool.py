"""Reading OpenNebula's documents and pools of documents as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from stratuslab.client.opennebula.xmlrpc_message import LAST_ID
from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from stratuslab.client.opennebula.rpc import Rpc

__all__ = ["attributes_of", "describe", "integer", "list_pool", "object_id", "text"]

_MAX_DIGITS = 18
_Read = TypeVar("_Read")


def list_pool(
    rpc: Rpc, method: str, *arguments: int, root: str, tag: str, read: Callable[[Element], _Read]
) -> list[_Read]:
    """Call for a pool and return what ``read`` makes of each ``tag`` in it, in the server's order."""
    found: list[_Read] = []

    def entries() -> EntryReader:
        found.clear()
        return EntryReader(tag, lambda element: found.append(read(element)), roots=frozenset({root}))

    rpc.call_for_entries(method, *arguments, entries=entries)
    return found


def describe(
    rpc: Rpc, method: str, number: int, *arguments: bool, tag: str, read: Callable[[Element], _Read]
) -> _Read:
    """Call for one document and return what ``read`` makes of it, if it is about that ``number``."""
    try:
        root = parse(rpc.call_for_text(method, number, *arguments))
        if root.tag != tag:
            raise DocumentError(f"it is a <{root.tag}>")
        about = integer(root, "ID")
        # For OpenNebula, -1 means the user who asks.
        if number >= 0 and about != number:
            raise DocumentError(f"it is about {tag} {about}")
        return read(root)
    except DocumentError as error:
        problem = str(error)
    raise rpc.malformed(method, problem)


def text(parent: Element, path: str) -> str | None:
    """Return the text at a path without space around it, None where there is none."""
    return (parent.findtext(path) or "").strip() or None


def integer(parent: Element, path: str) -> int | None:
    """Return the whole number at a path, None where there is none."""
    digits = (parent.findtext(path) or "").strip()
    number = digits.removeprefix("-")
    if not (number.isascii() and number.isdecimal()) or len(number) > _MAX_DIGITS:
        return None
    return int(digits)


def object_id(element: Element) -> int:
    """Return the number of an object of a pool.

    :raises DocumentError: if it has none.
    """
    digits = element.findtext("ID") or ""
    if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS and int(digits) <= LAST_ID:
        return int(digits)
    article = "an" if element.tag.startswith("I") else "a"
    raise DocumentError(f"{article} <{element.tag}> has no numeric <ID>")


def attributes_of(element: Element | None) -> dict[str, str]:
    """Return the plain attributes of a template, without those that hold others."""
    if element is None:
        return {}
    return {item.tag: (item.text or "").strip() for item in element if len(item) == 0}
