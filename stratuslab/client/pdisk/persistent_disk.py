"""PDisk, the service of disks that outlive VMs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
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
from stratuslab.client.pdisk.disk import (
    VISIBILITIES,
    Disk,
    Mount,
    Visibility,
    is_disk_id,
    text_or_none,
    whole_number,
)
from stratuslab.client.pdisk.json_document import decode
from stratuslab.client.transport.connection import HttpAnswer, Request, ServiceConnection
from stratuslab.client.transport.settlement import grace_after, settle
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud

__all__ = [
    "MAX_DISK_GIB",
    "MAX_TAG_LENGTH",
    "MIN_DISK_GIB",
    "PersistentDisk",
]

MIN_DISK_GIB = 1
MAX_DISK_GIB = 1024
MAX_TAG_LENGTH = 255


class PersistentDisk:
    """The disks of one cloud.

    Every method makes one request and may raise any
    :class:`~stratuslab.client.errors.StratusLabError`: ``NotFoundError`` for an unknown disk,
    ``ForbiddenError`` for somebody else's, ``ConflictError`` for a disk in use. The constructor raises
    :class:`~stratuslab.client.errors.ConfigurationError` if the settings name no PDisk service.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        base = cloud.required_pdisk()
        endpoint = base.at(f"{base.path}/{cloud.pdisk_credentials.prefix}")
        self._connection = ServiceConnection(cloud, "pdisk", endpoint, cloud.pdisk_credentials)

    def describe_volumes(self) -> list[Disk]:
        """Return the user's own disks, newest first (``GET /disks/``).

        Among them are the root disks of the user's running VMs (:attr:`Disk.snapshot_of`). A disk that
        cannot be read is left out, with a warning.
        """
        operation = "GET /disks/"
        disks: list[Disk] = []
        left_out: list[str] = []
        for item in self._list(operation, self._request(operation, "GET", "/disks/")):
            try:
                disks.append(Disk.from_json(item))
            except DocumentError as error:
                left_out.append(f"{_name_of(item)}: {error}")
        self._connection.pass_over(operation, left_out, read=len(disks))
        return disks

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
        return Disk(
            uuid=self._create({"size": str(size_gib), "tag": tag, "visibility": visibility}, token),
            tag=tag,
            size_gib=size_gib,
            owner=credentials.username if isinstance(credentials, Password) else "",
            type="DATA_IMAGE_RAW_READ_WRITE",
            visibility=visibility,
            identifier=token,
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
                Mount(whole_number(item.get("vmId")), self._field(operation, item, "device"))
                for item in found
            ]
        except ValueError:
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
            Request(
                operation,
                method,
                path,
                body=None if form is None else urlencode(form).encode("ascii"),
                headers=headers,
                repeatable=form is None,
            )
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
        try:
            return decode(answer.body)
        except DocumentError as error:
            problem = f"{error} ({answer.media_type or 'no media type'})"
        raise self._connection.malformed(operation, problem)

    def _field(self, operation: str, item: dict[str, Any], key: str) -> str:
        value = item.get(key)
        if not isinstance(value, str) or not value:
            raise self._connection.malformed(operation, f"it has no text for {key!r}")
        return value


def _name_of(item: dict[str, Any]) -> str:
    named = [text for key in ("uuid", "tag") if (text := text_or_none(item.get(key)))]
    return " ".join(named)[:100] or "a disk without a name"


def _path(uuid: str) -> str:
    if not isinstance(uuid, str) or not is_disk_id(uuid):
        raise InvalidArgumentError(f"found the id {uuid!r}; give a disk's UUID", argument="volume")
    return f"/disks/{uuid.lower()}"


def _message(answer: HttpAnswer) -> str | None:
    try:
        found = decode(answer.body)
    except DocumentError:
        return None
    return text_or_none(found.get("message")) if isinstance(found, dict) else None
