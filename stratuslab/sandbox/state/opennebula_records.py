"""How what an OpenNebula from 5.12 on knows is written into a state file.

A change of what is written here is a change of the file's format.
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from stratuslab.sandbox.opennebula.current.objects import (
    Account,
    Datastore,
    Image,
    Network,
    Vm,
    VmTemplate,
)
from stratuslab.sandbox.opennebula.template.template import Template
from stratuslab.sandbox.opennebula_location import OpenNebulaLocation
from stratuslab.sandbox.state.records import RecordKind, record_kinds

if TYPE_CHECKING:
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.table import Table


def kinds_of(location: Location | OpenNebulaLocation) -> list[RecordKind[Any, Any]]:
    """Return the kinds of records of a location, in the order in which they have to be loaded."""
    if not isinstance(location, OpenNebulaLocation):
        return record_kinds(location)
    books = location.oned.books
    objects: list[tuple[str, Table[int, Any], type]] = [
        ("one user", books.users, Account),
        ("one datastore", books.datastores, Datastore),
        ("one network", books.networks, Network),
        ("one image", books.images, Image),
        ("one template", books.templates, VmTemplate),
        ("one vm", books.vms, Vm),
    ]
    return [
        RecordKind("next id", books.next_ids, str, int, lambda name, number: (name, number)),
        RecordKind("one group quota", books.group_quotas, str, str, lambda name, limit: (name, limit)),
        *(_kind(name, table, row) for name, table, row in objects),
    ]


def _kind(name: str, table: Table[int, Any], row: type) -> RecordKind[int, Any]:
    return RecordKind(name, table, str, asdict, lambda key, content: (int(key), _built(row, content)))


def _built(kind: Any, content: Any) -> Any:
    """Make of what JSON has the object that it was written from."""
    if kind is Template:
        return Template([(name, value) for name, value in content["attributes"]])
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{field.name: _built(hints[field.name], content[field.name]) for field in fields(kind)})
    if get_origin(kind) is list:
        return [_built(get_args(kind)[0], item) for item in content]
    if get_origin(kind) is dict:
        return {key: _built(get_args(kind)[1], item) for key, item in content.items()}
    return content
