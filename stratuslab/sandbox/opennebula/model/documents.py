"""The XML that OpenNebula's documents of all kinds have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.model.permissions import Owned


def owner_elements(item: Owned, uname: str, gname: str) -> str:
    """Return the elements from ID to NAME; the name is not escaped, as OpenNebula does not escape it."""
    return (
        f"<ID>{item.id}</ID><UID>{item.uid}</UID><GID>{item.gid}</GID><UNAME>{escape(uname)}</UNAME>"
        f"<GNAME>{gname}</GNAME><NAME>{item.name}</NAME>"
    )


def permission_elements(item: Owned) -> str:
    """Return `<PERMISSIONS>`."""
    names = (f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA")
    digits = zip(names, item.permissions, strict=True)
    return f"<PERMISSIONS>{''.join(f'<{name}>{digit}</{name}>' for name, digit in digits)}</PERMISSIONS>"


def id_elements(numbers: Iterable[int]) -> str:
    """Return an ID for each number."""
    return "".join(f"<ID>{number}</ID>" for number in numbers)


def pool(tag: str, documents: Iterable[str]) -> str:
    """Return a pool of documents."""
    return f"<{tag}>{''.join(documents)}</{tag}>"
