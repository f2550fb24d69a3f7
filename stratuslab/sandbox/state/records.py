"""How a location is written into a state file: which tables there are, and a JSON text for each row.

Whoever changes what is written here changes the format of the file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from stratuslab.sandbox.marketplace.image_entry import ImageEntry
from stratuslab.sandbox.opennebula.current import objects
from stratuslab.sandbox.opennebula.model.history import HistoryRecord
from stratuslab.sandbox.opennebula.model.images import OneImage
from stratuslab.sandbox.opennebula.model.users import User
from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
from stratuslab.sandbox.opennebula.requests.templates import KeptTemplate
from stratuslab.sandbox.opennebula.template.template import Template, Value
from stratuslab.sandbox.opennebula_location import OpenNebulaLocation
from stratuslab.sandbox.pdisk.disks import Disk, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.state.file import Record
    from stratuslab.sandbox.table import Table

K = TypeVar("K")
V = TypeVar("V")
_IMPORTED_FOR_TYPES = {
    "HistoryRecord": HistoryRecord,
    "Sequence": Sequence,
    "Template": Template,
    "User": User,
    "Value": Value,
}
"""What modules with rows import for the types alone."""


@dataclass(frozen=True)
class RecordKind(Generic[K, V]):
    """The records of one table; `row` is the type of a row, `key` reads a key."""

    name: str
    table: Table[K, V]
    row: Any
    key: Callable[[str], K]

    def key_text(self, key: K) -> str:
        """Return the text of a key, in which a slash separates the parts of a tuple."""
        return "/".join(key) if isinstance(key, tuple) else str(key)

    def content(self, key: K) -> str:
        """Return the JSON for the row with that key."""
        return json.dumps(self.table[key], default=_plain)

    def load(self, records: Iterable[Record]) -> None:
        """Fill the table with records."""
        self.table.load(
            {self.key(record.key): _built(self.row, json.loads(record.content)) for record in records}
        )


def record_kinds(location: Location | OpenNebulaLocation) -> list[RecordKind[Any, Any]]:
    """Return the kinds of records of a location."""
    if isinstance(location, OpenNebulaLocation):
        books = location.oned.books
        return [
            RecordKind("next id", books.next_ids, int, str),
            RecordKind("one group quota", books.group_quotas, str, str),
            RecordKind("one user", books.users, objects.Account, int),
            RecordKind("one datastore", books.datastores, objects.Datastore, int),
            RecordKind("one network", books.networks, objects.Network, int),
            RecordKind("one image", books.images, objects.Image, int),
            RecordKind("one template", books.templates, objects.VmTemplate, int),
            RecordKind("one vm", books.vms, objects.Vm, int),
        ]
    oned, pdisk = location.oned.state, location.disks.state
    return [
        RecordKind("next id", oned.next_ids, int, str),
        RecordKind("user", oned.users.users, User, str),
        RecordKind("vm", oned.vms, VirtualMachine, int),
        RecordKind("opennebula image", oned.images, OneImage, int),
        RecordKind("template", oned.templates, KeptTemplate, int),
        RecordKind("disk", pdisk.disks, Disk, str),
        RecordKind("upload", pdisk.uploads, bytes, str),
        RecordKind("mounts", pdisk.mounts, dict[str, Mount], str),
        RecordKind("image", location.catalogue.table, ImageEntry, lambda text: tuple(text.split("/"))),
    ]


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{value!r} cannot be written as JSON")


def _built(kind: Any, content: Any) -> Any:
    """Make the object of a type from what JSON has of it."""
    if kind is bytes:
        return base64.b64decode(content)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(content)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: _built(hint, content[name]) for name, hint in _types_of(kind).items()})
    parts = get_args(kind)
    match get_origin(kind):
        case origin if origin in (list, Sequence):
            return [_built(parts[0], item) for item in content]
        case origin if origin in (dict, Mapping):
            return {key: _built(parts[1], item) for key, item in content.items()}
        case origin if origin is tuple:
            kinds = parts[:1] * len(content) if parts[-1] is ... else parts
            return tuple(_built(part, item) for part, item in zip(kinds, content, strict=True))
    return content


@cache
def _types_of(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, localns=_IMPORTED_FOR_TYPES)
    return {field.name: hints[field.name] for field in fields(kind)}
