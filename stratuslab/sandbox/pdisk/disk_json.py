"""The JSON documents of PDisk, character by character as its templates lay them out.

Every value is a string, numbers too; only the code of an error is a number. The owner of a disk goes in as it
is, so that a distinguished name with a backslash breaks the document: that is PDisk's own bug.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.dialect import Dialect
    from stratuslab.sandbox.http.restlet import ResourceError
    from stratuslab.sandbox.pdisk.disks import Disk, Mount

_CRLF = "\r\n"
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ESCAPES.update({chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in _ESCAPES})
_J_STRING = str.maketrans(_ESCAPES)


def escaped(text: str) -> str:
    """Escape a text as FreeMarker's `?j_string` does."""
    return text.translate(_J_STRING)


class DiskJson:
    """Writes disks."""

    def __init__(self, dialect: Dialect) -> None:
        self._number = "{:,}".format if dialect.group_numbers else "{}".format
        self._empty_identifiers = dialect.empty_identifiers

    def disk(self, disk: Disk, count: int) -> str:
        """Write one disk; `count` is how many use it."""
        lines = [
            f'    "uuid": "{disk.uuid}",',
            f'    "tag": "{escaped(disk.tag)}",',
            f'    "count": "{self._number(count)}",',
            f'    "owner": "{disk.owner}",',
            *self._identifier(disk),
            *_unless_empty("quarantine", disk.quarantine),
            f'    "size": "{self._number(disk.size_gib)}",',
            f'    "type": "{disk.type.value}",',
            f'    "visibility": "{disk.visibility.value}"',
        ]
        return _CRLF.join(["{", *lines, "}", ""])

    def disks(self, disks: Iterable[tuple[Disk, int]]) -> str:
        """Write a list of disks, each with its count; it tells neither type nor visibility."""
        entries = [
            _CRLF.join(
                [
                    "  {",
                    f'    "uuid": "{disk.uuid}",',
                    f'    "tag": "{escaped(disk.tag)}",',
                    *_unless_empty("quarantine", disk.quarantine),
                    f'    "count": "{self._number(count)}",',
                    f'    "owner": "{disk.owner}",',
                    *self._identifier(disk),
                    f'    "size": "{self._number(disk.size_gib)}"',
                    "  }",
                ]
            )
            for disk, count in disks
        ]
        return _CRLF.join(["[", *([f",{_CRLF}".join(entries)] if entries else []), "]", ""])

    def _identifier(self, disk: Disk) -> list[str]:
        if self._empty_identifiers:
            return [_entry("identifier", disk.identifier)]
        return _unless_empty("identifier", disk.identifier)


def _unless_empty(key: str, value: str) -> list[str]:
    return [_entry(key, value)] if value else []


def _entry(key: str, value: str) -> str:
    return f'    "{key}": "{escaped(value)}",'


def uuid(uuid: str) -> str:
    """Answer a creation or a deletion."""
    return f'{{ \n  "uuid" : "{uuid}"\n}}\n'


def turl(uuid: str, turl: str) -> str:
    """Write where the contents of a disk are."""
    return f'{{\n  "uuid" : "{uuid}",\n  "turl" : "{turl}"\n}}\n'


def attached(mount: Mount) -> str:
    """Answer an attachment."""
    node, vm_id = escaped(mount.node), escaped(mount.vm_id)
    return (
        f'{{\n  "node" : "{node}",\n  "vm_id" : "{vm_id}",\n'
        f'  "target" : "{mount.device}",\n  "uuid" : ["{mount.disk}"]\n}}\n'
    )


def mounts(mounts: Iterable[Mount]) -> str:
    """Write where a disk is mounted."""
    entries = [
        f'  {{\n    "vmId" : "{escaped(mount.vm_id)}",\n    "device" : "{mount.device}"\n  }}'
        for mount in mounts
    ]
    return "\n".join(["[", *([",\n".join(entries)] if entries else []), "]", ""])


def detached(mount: Mount) -> str:
    """Answer a detachment."""
    return _mount(mount) + f'"{mount.device}"\n}}\n'


def broken_mount(mount: Mount) -> str:
    """Write one mount like the real template, which lacks a value and says so."""
    return _mount(mount) + '"Expression target is undefined on line 5, column 17 in json/mount.ftl.'


def _mount(mount: Mount) -> str:
    return (
        f'{{\n  "diskId" : "{mount.disk}", \n  "mountId" : "{escaped(mount.id)}", \n'
        f'  "vmId" : "{escaped(mount.vm_id)}", \n  "target" : '
    )


def error(error: ResourceError) -> str:
    """Write why a request is refused."""
    return f'{{ \n  "message" : "{escaped(error.description)}", \n  "code" : {error.status} \n}}\n'
