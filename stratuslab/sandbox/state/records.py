"""How what a location knows is written into a state file: which tables there are, and a JSON text a row.

A change of what is written here is a change of the file's format.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stratuslab.sandbox.marketplace.image_entry import ImageEntry
from stratuslab.sandbox.opennebula.model.history import HistoryRecord
from stratuslab.sandbox.opennebula.model.images import OneImage
from stratuslab.sandbox.opennebula.model.users import User
from stratuslab.sandbox.opennebula.model.virtual_machine import Turn, VirtualMachine
from stratuslab.sandbox.opennebula.requests.templates import KeptTemplate
from stratuslab.sandbox.opennebula.template.template import Template
from stratuslab.sandbox.pdisk.disks import Disk, DiskType, Mount, Visibility

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.state.file import Record
    from stratuslab.sandbox.table import Table

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class RecordKind(Generic[K, V]):
    """The records of one table: how a key and a row are written, and how the key and row are read again."""

    name: str
    table: Table[K, V]
    key: Callable[[K], str]
    content: Callable[[V], Any]
    row: Callable[[str, Any], tuple[K, V]]

    def encode(self, key: K) -> tuple[str, str]:
        """Return the key and the content for the row with that key."""
        return self.key(key), json.dumps(self.content(self.table[key]), default=_plain)

    def load(self, records: Iterable[Record]) -> None:
        """Fill the table with records."""
        self.table.load(dict(self.row(record.key, json.loads(record.content)) for record in records))


def record_kinds(location: Location) -> list[RecordKind[Any, Any]]:
    """Return the kinds of records of a location, in the order in which they have to be loaded."""
    users = location.oned.state.users.users
    return [
        RecordKind("next id", location.oned.state.next_ids, str, int, lambda name, number: (name, number)),
        RecordKind("user", users, str, asdict, lambda login, content: (login, User(**content))),
        RecordKind("vm", location.oned.state.vms, str, _vm_content, lambda _, content: _vm(content, users)),
        RecordKind(
            "disk", location.disks.state.disks, str, asdict, lambda uuid, content: (uuid, _disk(content))
        ),
        RecordKind("upload", location.disks.state.uploads, str, _upload_content, _upload),
        RecordKind("opennebula image", location.oned.state.images, str, asdict, _one_image),
        RecordKind("template", location.oned.state.templates, str, asdict, _kept_template),
        RecordKind("mounts", location.disks.state.mounts, str, _mounts_content, _mounts),
        RecordKind("image", location.catalogue.table, "/".join, asdict, lambda _, content: _entry(content)),
    ]


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{value!r} cannot be written as JSON")


def _vm_content(vm: VirtualMachine) -> dict[str, Any]:
    return {
        **vars(vm),
        "owner": vm.owner.login,
        "template": vm.template.attributes,
        "history": [asdict(record) for record in vm.history],
    }


def _vm(content: dict[str, Any], users: Mapping[str, User]) -> tuple[int, VirtualMachine]:
    content["owner"] = users[content["owner"]]
    content["template"] = Template([(name, value) for name, value in content["template"]])
    content["history"] = [HistoryRecord(**record) for record in content["history"]]
    content["agenda"] = [(time, Turn(turn)) for time, turn in content["agenda"]]
    vm = VirtualMachine(**content)
    return vm.id, vm


def _disk(content: dict[str, Any]) -> Disk:
    content["type"] = DiskType(content["type"])
    content["visibility"] = Visibility(content["visibility"])
    return Disk(**content)


def _upload_content(contents: bytes) -> str:
    return base64.b64encode(contents).decode("ascii")


def _upload(disk: str, content: str) -> tuple[str, bytes]:
    return disk, base64.b64decode(content)


def _mounts_content(mounts: Mapping[str, Mount]) -> list[dict[str, Any]]:
    return [asdict(mount) for mount in mounts.values()]


def _mounts(disk: str, content: list[dict[str, Any]]) -> tuple[str, dict[str, Mount]]:
    return disk, {mount["vm_id"]: Mount(**mount) for mount in content}


def _one_image(image_id: str, content: dict[str, Any]) -> tuple[int, OneImage]:
    content["owner"] = User(**content["owner"])
    content["attributes"] = [(name, value) for name, value in content["attributes"]]
    return int(image_id), OneImage(**content)


def _kept_template(template_id: str, content: dict[str, Any]) -> tuple[int, KeptTemplate]:
    content["owner"] = User(**content["owner"])
    content["attributes"] = [(name, value) for name, value in content["attributes"]]
    return int(template_id), KeptTemplate(**content)


def _entry(content: dict[str, Any]) -> tuple[tuple[str, str, str], ImageEntry]:
    for name, value in content.items():
        content[name] = tuple(value) if isinstance(value, list) else value
    entry = ImageEntry(**content)
    return entry.key, entry
