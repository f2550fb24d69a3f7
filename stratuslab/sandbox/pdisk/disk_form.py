"""What the form fields of PDisk mean for a disk, and which values PDisk refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.http.restlet import ResourceError
from stratuslab.sandbox.pdisk.disks import DiskType, Visibility

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.sandbox.pdisk.disks import Disk

SIZE_MIN_GIB = 1
SIZE_MAX_GIB = 1024

_COLUMN_WIDTH = 255
_JAVA_LONG = range(-(2**63), 2**63)
_VISIBILITY_CLASS = "eu.stratuslab.storage.disk.resources.BaseResource.DiskVisibility"


def revised(disk: Disk, form: Mapping[str, str]) -> Disk:
    """Apply a form to a disk: size, visibility, tag, owner, quarantine, identifier, type, group, seed.

    A field that is not in the form leaves the disk as it is, except `seed`, which is reset. Raises
    ResourceError: 400 for a size or visibility that cannot be read, 500 for an unknown type or a text which
    the database has no room for. The range of the size is not checked here.
    """
    if "size" in form:
        disk = replace(disk, size_gib=_size(form["size"]))
    if "visibility" in form:
        disk = replace(disk, visibility=_visibility(form["visibility"]))
    if "type" in form:
        disk = replace(disk, type=_type(form["type"]))
    return replace(
        disk,
        tag=_text(form, "tag", disk.tag),
        owner=_text(form, "owner", disk.owner),
        quarantine=_text(form, "quarantine", disk.quarantine),
        identifier=_text(form, "identifier", disk.identifier),
        group=_text(form, "group", disk.group),
        seed=form.get("seed") == "on",
    )


def check_size(disk: Disk) -> None:
    """Refuse (400) a new disk that is too small or too big, or that has no size in its form."""
    if not SIZE_MIN_GIB <= disk.size_gib <= SIZE_MAX_GIB:
        raise ResourceError(400, f"Size must be an integer between {SIZE_MIN_GIB} and {SIZE_MAX_GIB}")


def check_contents(form: Mapping[str, str]) -> None:
    """Refuse (400) contents that can never be fetched: an unusable URL, or a checksum that is no number.

    The sandbox keeps no contents: the URL itself is not read.
    """
    if "url" not in form:
        return
    if not re.match(r"(https?|ftp|file):", form["url"]):
        raise ResourceError(400, f"error initializing disk contents from {form['url']}")
    if not re.fullmatch(r"[0-9a-fA-F]+", form.get("sha1", "0")):
        raise ResourceError(400, f"invalid SHA-1 checksum: {form['sha1']}")


def _size(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text) and int(text) in _JAVA_LONG:
        return int(text)
    raise ResourceError(400, f'Error parsing size: For input string: "{text}"')


def _visibility(text: str) -> Visibility:
    try:
        return Visibility[text.upper()]
    except KeyError:
        reason = f"No enum constant {_VISIBILITY_CLASS}.{text.upper()}"
        raise ResourceError(400, f"Invalid value for form element visibility: {reason}") from None


def _type(text: str) -> DiskType:
    try:
        return DiskType[text]
    except KeyError:
        raise ResourceError(500) from None


def _text(form: Mapping[str, str], field: str, present: str) -> str:
    text = form.get(field, present)
    if len(text) > _COLUMN_WIDTH:
        raise ResourceError(500)
    return text
