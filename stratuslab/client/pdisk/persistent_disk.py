"""PDisk, the service of disks that outlive VMs."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import (
    InvalidArgumentError,
    StratusLabError,
    UnsettledError,
    outcome_unknown,
)
from stratuslab.client.opennebula.vm import checked_vm_id
from stratuslab.client.transport.connection import HttpAnswer, pdisk_connection
from stratuslab.client.transport.settlement import grace_after, settle
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratuslab.client.configuration.cloud import Cloud

__all__ = [
    "MAX_DISK_GIB",
    "MAX_TAG_LENGTH",
    "MIN_DISK_GIB",
    "VISIBILITIES",
    "Disk",
    "Mount",
    "PersistentDisk",
    "Visibility",
    "is_disk_id",
    "read_disk",
    "source_of_disk",
]

MIN_DISK_GIB = 1
MAX_DISK_GIB = 1024
MAX_TAG_LENGTH = 255

_Made = TypeVar("_Made")
Visibility = Literal["private", "public"]
VISIBILITIES: tuple[Visibility, ...] = ("private", "public")

_VISIBILITY_OF: dict[object, Visibility] = {
    text: known for known in VISIBILITIES for text in (known, known.upper())
}
_MAX_DIGITS = 18
_MAX_KNOWN_NUMBERS = 1024
_GROUPING = re.compile(r"[,.'\s\u202f]")
_DISK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# The service pastes owners into its JSON as they are: a certificate's "O=A\, Inc" makes it invalid.
_PASTED_OWNER = re.compile(r'("owner"\s*:\s*")(.*)$', re.MULTILINE)


def is_disk_id(text: str) -> bool:
    """Return whether a text has the form of a disk's UUID."""
    return _DISK_ID.fullmatch(text) is not None


def source_of_disk(cloud: Cloud, uuid: str) -> str:
    """Return what a VM's template calls a disk: ``pdisk:URL/UUID``, or ``pdisk:HOST:PORT/UUID``.

    The latter is for the ports before 14.06. Raises
    :class:`~stratuslab.client.errors.ConfigurationError` if the settings name no PDisk service.
    """
    base = cloud.required_pdisk()
    address = base.url if base.path else f"{base.host}:{base.port}"
    return f"pdisk:{address}/{uuid.lower()}"


@dataclass(slots=True)
class Disk:
    """A disk.

    ``size_gib`` is in GiB, ``count`` the number of VMs that have it mounted (of an image's origin:
    the number of its copies). Lists are long, so all else is read from ``described``, PDisk's object,
    when it is asked for; what is no text there is as if it was missing. ``type`` and ``visibility``
    are None in lists, where the service leaves them out; ``identifier`` and ``quarantine`` are None
    for a disk that has none.
    """

    uuid: str
    tag: str
    size_gib: int
    count: int
    described: Mapping[str, object] = field(repr=False)

    @classmethod
    def from_json(cls, described: Mapping[str, object]) -> Disk:
        """Read PDisk's object. Raises ``DocumentError`` as :func:`read_disk` does."""
        return read_disk(described, cls)

    @property
    def owner(self) -> str:
        """The user whose disk it is."""
        return self._text("owner") or ""

    @property
    def type(self) -> str | None:
        """What the disk holds and how it may be written, in PDisk's words."""
        return self._text("type")

    @property
    def visibility(self) -> Visibility | None:
        """Who may use the disk."""
        return _VISIBILITY_OF.get(self._text("visibility"))

    @property
    def identifier(self) -> str | None:
        """The image or the token that the disk was marked with."""
        return self._text("identifier")

    @property
    def quarantine(self) -> str | None:
        """Since when the disk is in quarantine."""
        return self._text("quarantine")

    @property
    def snapshot_of(self) -> str | None:
        """The image disk of which this is the copy that a running VM boots from, else None."""
        if self.identifier and self.identifier.startswith("snapshot:"):
            return self.identifier.removeprefix("snapshot:")
        return None

    def _text(self, key: str) -> str | None:
        return _text(self.described.get(key))


def read_disk(
    described: Mapping[str, object], make: Callable[[str, str, int, int, Mapping[str, object]], _Made]
) -> _Made:
    """Return what ``make`` makes of the fields of a :class:`Disk`.

    Raises ``DocumentError`` if there is no UUID, or a size or count that is no number.
    """
    get = described.get
    uuid, tag = get("uuid"), get("tag")
    if not isinstance(uuid, str) or not uuid:
        raise DocumentError("a disk has no text for 'uuid'")
    try:
        size_gib, count = _number(get("size")), _number(get("count", "0"))
    except (TypeError, ValueError):
        raise DocumentError("a disk has no number for 'size' or 'count'") from None
    return make(uuid, tag if isinstance(tag, str) else "", size_gib, count, described)


@dataclass(frozen=True, slots=True)
class Mount:
    """A disk on a VM; ``device`` is the cloud's label (``vdz``, …), not the guest's name for it."""

    vm_id: int
    device: str

    @property
    def static(self) -> bool:
        """Whether the VM was started with the disk, which then cannot be unplugged."""
        return self.device == "static"


class PersistentDisk:
    """The disks of one cloud.

    Every method makes one request and may raise any
    :class:`~stratuslab.client.errors.StratusLabError`: ``NotFoundError`` for an unknown disk,
    ``ForbiddenError`` for somebody else's, ``ConflictError`` for a disk in use.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._connection = pdisk_connection(cloud)

    def describe_volumes(self) -> list[Disk]:
        """Return the user's own disks, newest first (``GET /disks/``).

        Among them are the root disks of the user's running VMs (:attr:`Disk.snapshot_of`).
        """
        return self.map_volumes(Disk)

    def map_volumes(self, make: Callable[[str, str, int, int, Mapping[str, object]], _Made]) -> list[_Made]:
        """Return what ``make`` makes of the fields of each of the user's disks (``GET /disks/``).

        There is no :class:`Disk` in between: lists are long.
        """
        operation = "GET /disks/"
        items = self._list(operation, self._request(operation, "GET", "/disks/"))
        try:
            return [read_disk(item, make) for item in items]
        except DocumentError as error:
            raise self._connection.malformed(operation, str(error)) from None

    def describe_volume(self, uuid: str) -> Disk:
        """Return one disk (``GET /disks/UUID``)."""
        operation = "GET /disks/UUID"
        answer = self._request(operation, "GET", _path(uuid))
        try:
            return Disk.from_json(self._object(operation, answer))
        except DocumentError as error:
            raise self._connection.malformed(operation, str(error)) from None

    def create_volume(self, size_gib: int, tag: str, visibility: Visibility = "private") -> Disk:
        """Make an empty disk (``POST /disks/``, never sent twice).

        The disk is marked with a new token, as its ``identifier``: PDisk keeps that for images of the
        Marketplace, whose identifiers look otherwise, and shows it in lists. When the answer is lost,
        the disk is looked for by it (``GET /disks/``) for as long as the request may be under way:
        the time-out once more, or once after a status of 3xx or 4xx. Raises
        :class:`~stratuslab.client.errors.InvalidArgumentError` before anything is sent, and
        :class:`~stratuslab.client.errors.UnsettledError`, with the token, if the disk was not found and
        may still appear.
        """
        if isinstance(size_gib, bool) or not isinstance(size_gib, int):
            raise InvalidArgumentError(f"the size: found {size_gib!r}; give a whole number of GiB")
        if not MIN_DISK_GIB <= size_gib <= MAX_DISK_GIB:
            raise InvalidArgumentError(
                f"the size: found {size_gib} GiB; give {MIN_DISK_GIB} to {MAX_DISK_GIB} GiB"
            )
        if visibility not in VISIBILITIES:
            raise InvalidArgumentError(
                f"the visibility: found {visibility!r}; use {' or '.join(VISIBILITIES)}"
            )
        if not isinstance(tag, str) or not tag.isprintable():
            raise InvalidArgumentError(f"the name: found {tag!r}; give text without control characters")
        if len(tag) > MAX_TAG_LENGTH:
            raise InvalidArgumentError(
                f"the name: has {len(tag)} characters; PDisk keeps {MAX_TAG_LENGTH} at most"
            )
        token = str(uuid4())
        credentials = self._cloud.pdisk_credentials
        return Disk.from_json(
            {
                "uuid": self._create({"size": str(size_gib), "tag": tag, "visibility": visibility}, token),
                "tag": tag,
                "size": str(size_gib),
                "owner": credentials.username if isinstance(credentials, Password) else "",
                "type": "DATA_IMAGE_RAW_READ_WRITE",
                "visibility": visibility,
                "identifier": token,
            }
        )

    def _create(self, form: dict[str, str], token: str) -> str:
        operation = "POST /disks/"
        try:
            answer = self._request(operation, "POST", "/disks/", {**form, "identifier": token})
            uuid = self._field(operation, self._object(operation, answer), "uuid")
            if not is_disk_id(uuid):
                raise self._connection.malformed(operation, "the disk's id is no UUID")
            return uuid
        except StratusLabError as error:
            grace = grace_after(error, self._cloud.timeout)
            disk = None if grace is None else settle(lambda: self._find(token), grace)
            if disk is not None:
                return disk.uuid
            if not outcome_unknown(error):
                raise
            raise UnsettledError(
                f"{error.message}; no disk with the identifier {token} has appeared, but it may: "
                f"look for it, and for the name {form['tag']!r}, in the list before you make another",
                location=error.location,
                operation=error.operation,
                token=token,
            ) from error

    def _find(self, identifier: str) -> Disk | None:
        return next((disk for disk in self.describe_volumes() if disk.identifier == identifier), None)

    def delete_volume(self, uuid: str) -> None:
        """Delete a disk (``DELETE /disks/UUID``)."""
        self._request("DELETE /disks/UUID", "DELETE", f"{_path(uuid)}/")

    def mounts(self, uuid: str) -> list[Mount]:
        """Return where a disk is mounted (``GET /disks/UUID/mounts/``)."""
        operation = "GET /disks/UUID/mounts/"
        answer = self._request(operation, "GET", f"{_path(uuid)}/mounts/")
        found = self._list(operation, answer)
        try:
            return [
                Mount(_number(item.get("vmId")), self._field(operation, item, "device")) for item in found
            ]
        except (TypeError, ValueError):
            raise self._connection.malformed(operation, "a mount has no number for 'vmId'") from None

    def hot_attach(self, uuid: str, host: str, vm_id: int) -> str:
        """Plug a disk into a running VM and return the device (``POST /disks/UUID/mounts/``).

        ``host`` is where the VM runs. The request is never sent twice. When the answer is lost, the
        mount is looked for (``GET /disks/UUID/mounts/``) for the time-out once more; the error is
        raised if it was not found.
        """
        if not isinstance(host, str) or not host:
            raise InvalidArgumentError(f"the host: found {host!r}; give the name of the host of the VM")
        operation = "POST /disks/UUID/mounts/"
        form = {"node": host, "vm_id": str(checked_vm_id(vm_id))}
        try:
            answer = self._request(operation, "POST", f"{_path(uuid)}/mounts/", form)
            return self._field(operation, self._object(operation, answer), "target")
        except StratusLabError as error:
            if not outcome_unknown(error):
                raise
            device = settle(lambda: self._device(uuid, vm_id), self._cloud.timeout)
            if device is None:
                raise
            return device

    def _device(self, uuid: str, vm_id: int) -> str | None:
        return next((mount.device for mount in self.mounts(uuid) if mount.vm_id == vm_id), None)

    def hot_detach(self, uuid: str, vm_id: int) -> None:
        """Unplug a disk from a VM (``DELETE /disks/UUID/mounts/UUID_VMID``)."""
        path = f"{_path(uuid)}/mounts/{uuid.lower()}_{checked_vm_id(vm_id)}"
        self._request("DELETE /disks/UUID/mounts/MOUNT", "DELETE", path)

    def _request(
        self, operation: str, method: str, path: str, form: dict[str, str] | None = None
    ) -> HttpAnswer:
        headers = {"Accept": "application/json"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self._connection.exchange(
            operation,
            method,
            path,
            body=None if form is None else urlencode(form).encode("ascii"),
            headers=headers,
            repeatable=form is None,
        )
        if method == "DELETE" and answer.repeated and answer.status == HTTPStatus.NOT_FOUND:
            return answer
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self._connection.refused(operation, answer, _message(answer))
        return answer

    def _list(self, operation: str, answer: HttpAnswer) -> list[dict[str, Any]]:
        found = self._json(operation, answer)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._connection.malformed(operation, "it is not a list of objects")
        return found

    def _object(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        found = self._json(operation, answer)
        if not isinstance(found, dict):
            raise self._connection.malformed(operation, "it is not an object")
        return found

    def _json(self, operation: str, answer: HttpAnswer) -> Any:
        with contextlib.suppress(ValueError, RecursionError):
            return _decode(answer.body)
        found = answer.media_type or "no media type"
        raise self._connection.malformed(operation, f"it is not JSON ({found})")

    def _field(self, operation: str, item: dict[str, Any], key: str) -> str:
        value = item.get(key)
        if not isinstance(value, str) or not value:
            raise self._connection.malformed(operation, f"it has no text for {key!r}")
        return value


@lru_cache(_MAX_KNOWN_NUMBERS, typed=True)
def _number(text: object) -> int:
    """Return a number, which the service writes as text in its own language: ``"1,024"``.

    Thousands of disks have few sizes, so they are remembered. Raises ``ValueError`` or ``TypeError``.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or len(text) > _MAX_DIGITS:
        raise ValueError
    digits = _GROUPING.sub("", text)
    if not digits.isdecimal():
        raise ValueError
    return int(digits)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _path(uuid: str) -> str:
    if not isinstance(uuid, str) or not is_disk_id(uuid):
        raise InvalidArgumentError(f"the volume: found the id {uuid!r}; give a disk's UUID")
    return f"/disks/{uuid.lower()}"


def _decode(body: bytes) -> Any:
    text = body.decode("utf-8")
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_PASTED_OWNER.sub(_escaped, text))


def _escaped(owner: re.Match[str]) -> str:
    name, quote, end = owner[2].rpartition('"')
    return owner[1] + json.dumps(name)[1:-1] + quote + end if quote else owner[0]


def _message(answer: HttpAnswer) -> str | None:
    try:
        found = _decode(answer.body)
    except (ValueError, RecursionError):
        return None
    return _text(found.get("message")) if isinstance(found, dict) else None
