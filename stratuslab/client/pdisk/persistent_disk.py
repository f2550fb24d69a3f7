"""PDisk, the service of disks that outlive VMs."""

from __future__ import annotations

import contextlib
import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import (
    DuplicateError,
    InvalidArgumentError,
    NotFoundError,
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
    disk_ids_in,
    is_disk_id,
    text_or_none,
    whole_number,
)
from stratuslab.client.pdisk.json_document import decode
from stratuslab.client.transport.connection import HttpAnswer, Request, ServiceConnection
from stratuslab.client.transport.failures import in_doubt, worst_of
from stratuslab.client.transport.settlement import settle, settled
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud

__all__ = [
    "MAX_DISK_GIB",
    "MAX_TAG_LENGTH",
    "MAX_TOKEN_LENGTH",
    "MIN_DISK_GIB",
    "PersistentDisk",
]

MIN_DISK_GIB = 1
MAX_DISK_GIB = 1024
MAX_TAG_LENGTH = 255
MAX_TOKEN_LENGTH = 64

logger = logging.getLogger(__name__)

_CHANGES = ("DELETE /disks/UUID", "DELETE /disks/UUID/mounts/MOUNT", "POST /disks/UUID/mounts/")
# PDisk treats an identifier of 27 characters as that of an image.
_TOKEN = re.compile(rf"(?![A-Za-z0-9_-]{{27}}\Z)[A-Za-z0-9._-]{{1,{MAX_TOKEN_LENGTH}}}")


class PersistentDisk:
    """The disks of one cloud.

    Every method makes one request and may raise any :class:`~stratuslab.client.errors.StratusLabError`.

    :raises ConfigurationError: from the constructor, if the settings name no PDisk service.
    :raises NotFoundError: from a method, for an unknown disk.
    :raises ForbiddenError: from a method, for a disk of somebody else.
    :raises ConflictError: from a method, for a disk in use.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        base = cloud.required_pdisk()
        endpoint = base.at(f"{base.path}/{cloud.pdisk_credentials.prefix}")
        self._connection = ServiceConnection(cloud, "pdisk", endpoint, cloud.pdisk_credentials)

    def close(self) -> None:
        """Close the connections. Another request makes new ones."""
        self._connection.close()

    def describe_volumes(self) -> list[Disk]:
        """Return the user's own disks, newest first (``GET /disks/``).

        Among them are the root disks of the user's running VMs (:attr:`Disk.snapshot_of`). A disk that
        cannot be read is left out, with a warning.
        """
        operation = "GET /disks/"
        # Each once: that an identifier stands in the list twice has to mean two disks.
        disks: dict[str, Disk] = {}
        left_out: list[str] = []
        for item in self._list(operation, self._request(operation, "GET", "/disks/")):
            if not isinstance(item, dict):
                left_out.append("an entry that is no object")
                continue
            try:
                disk = Disk.from_json(item)
                disks[disk.uuid] = disk
            except DocumentError as error:
                left_out.append(f"{_name_of(item)}: {error}")
        self._connection.pass_over(operation, left_out, read=len(disks))
        return list(disks.values())

    def describe_volume(self, uuid: str) -> Disk:
        """Return one disk (``GET /disks/UUID``)."""
        operation = "GET /disks/UUID"
        answer = self._request(operation, "GET", _path(uuid))
        try:
            disk = Disk.from_json(self._object(operation, answer))
        except DocumentError as error:
            raise self._connection.malformed(operation, str(error)) from None
        self._check(operation, disk.uuid, uuid)
        return disk

    def create_volume(
        self, size_gib: int, tag: str, visibility: Visibility = "private", *, token: str | None = None
    ) -> Disk:
        """Make an empty disk (``POST /disks/``, never sent twice, then ``GET /disks/UUID``).

        The disk is marked with ``token``, or with a new one, as its ``identifier``: PDisk keeps that for
        images of the Marketplace, whose identifiers look otherwise, and shows it in lists. If a disk of the
        user has a given ``token`` already, it is returned, and nothing is made (``GET /disks/`` first). When
        the answer is lost, or is not about a disk of this token, the disk is looked for by it
        (``GET /disks/``) for as long as the request may be under way: the time-out once more, or once after a
        status of 3xx or 4xx.

        :raises InvalidArgumentError: for a wrong value, before anything is sent.
        :raises UnsettledError: which holds the token, if the disk was not found and may still appear.
        :raises DuplicateError: if several disks have the token.
        """
        if isinstance(size_gib, bool) or not isinstance(size_gib, int):
            raise InvalidArgumentError(f"found {size_gib!r}; give a whole number of GiB", argument="size_gib")
        if not MIN_DISK_GIB <= size_gib <= MAX_DISK_GIB:
            raise InvalidArgumentError(
                f"found {size_gib} GiB; give {MIN_DISK_GIB} to {MAX_DISK_GIB} GiB", argument="size_gib"
            )
        if visibility not in VISIBILITIES:
            raise InvalidArgumentError(
                f"found {visibility!r}; use {' or '.join(VISIBILITIES)}", argument="visibility"
            )
        if not isinstance(tag, str) or not tag.isprintable():
            raise InvalidArgumentError(f"found {tag!r}; give text without control characters", argument="tag")
        if len(tag) > MAX_TAG_LENGTH:
            raise InvalidArgumentError(
                f"has {len(tag)} characters; PDisk keeps {MAX_TAG_LENGTH} at most", argument="tag"
            )
        if token is not None:
            self._check_token(token)
            disk = self.find_volume(token)
            if disk is not None:
                return disk
        token = token or str(uuid4())
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
        except StratusLabError as error:
            return self._found(form["tag"], token, error)
        # PDisk knows a new disk: if it does not, or has another token, the answer was to an earlier request.
        disk: Disk | None = None
        try:
            disk = self.describe_volume(uuid)
        except NotFoundError:
            pass
        except StratusLabError as error:
            logger.warning("disk %s was made, but its details could not be read: %s", uuid, error)
            return uuid
        if disk is not None and disk.identifier == token:
            return uuid
        wrong = self._connection.malformed(operation, f"no disk {uuid} has the identifier that was sent")
        return self._found(form["tag"], token, wrong)

    def _found(self, tag: str, token: str, error: StratusLabError) -> str:
        """Return the UUID of the disk of a token; else raise the error, or that the disk may appear."""
        disk = settled(error, lambda: self.find_volume(token), self._cloud.timeout)
        if disk is not None:
            return disk.uuid
        raise UnsettledError(
            f"{error.message}; no disk with the identifier {token} has appeared, but it may: "
            f"look for it, and for the name {tag!r}, in the list before you make another",
            location=error.location,
            operation=error.operation,
            token=token,
        ) from error

    def find_volume(self, token: str) -> Disk | None:
        """Return the user's disk that was made with a token, or None (``GET /disks/``).

        :raises DuplicateError: if several disks have it.
        """
        found = [disk for disk in self.describe_volumes() if disk.identifier == token]
        if len(found) > 1:
            ids = [disk.uuid for disk in found]
            raise DuplicateError(
                f"the disks {' and '.join(ids)} have the identifier {token}: a request was delivered twice; "
                "destroy all of them but one",
                location=self._cloud.location,
                operation="GET /disks/",
                token=token,
                ids=ids,
            )
        return found[0] if found else None

    @staticmethod
    def _check_token(token: str) -> None:
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise InvalidArgumentError(
                f"found {token!r}; give 1 to {MAX_TOKEN_LENGTH} letters, digits, '.', '_' or '-', "
                "and not the 27 of a Marketplace identifier",
                argument="token",
            )

    def delete_volume(self, uuid: str) -> None:
        """Delete a disk (``DELETE /disks/UUID``)."""
        operation = "DELETE /disks/UUID"
        answer = self._answer(operation, "DELETE", f"{_path(uuid)}/")
        if answer.repeated and answer.status == HTTPStatus.NOT_FOUND and _names(uuid, _own_message(answer)):
            # An earlier try was carried out: PDisk itself says that this disk is not there.
            return
        found = self._field(operation, self._object(operation, self._accepted(operation, answer)), "uuid")
        self._check(operation, found, uuid)

    def mounts(self, uuid: str) -> list[Mount]:
        """Return where a disk is mounted (``GET /disks/UUID/mounts/``)."""
        operation = "GET /disks/UUID/mounts/"
        answer = self._request(operation, "GET", f"{_path(uuid)}/mounts/")
        found = self._list(operation, answer)
        if not all(isinstance(item, dict) for item in found):
            raise self._connection.malformed(operation, "it is not a list of objects")
        try:
            return [
                Mount(whole_number(item.get("vmId")), self._field(operation, item, "device"))
                for item in found
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
            raise InvalidArgumentError(
                f"found {host!r}; give the name of the host of the VM", argument="host"
            )
        operation = "POST /disks/UUID/mounts/"
        form = {"node": host, "vm_id": str(checked_vm_id(vm_id))}
        try:
            answer = self._request(operation, "POST", f"{_path(uuid)}/mounts/", form)
            mount = self._object(operation, answer)
            self._check(operation, str(mount.get("vm_id")), str(vm_id))
            self._check(operation, *(str(found).lower() for found in (mount.get("uuid"), [uuid])))
            return self._field(operation, mount, "target")
        except StratusLabError as error:
            if not outcome_unknown(error):
                raise
            with contextlib.suppress(StratusLabError):
                device = settle(lambda: self._device(uuid, vm_id), self._cloud.timeout)
                if device is not None:
                    return device
            raise

    def _device(self, uuid: str, vm_id: int) -> str | None:
        return next((mount.device for mount in self.mounts(uuid) if mount.vm_id == vm_id), None)

    def hot_detach(self, uuid: str, vm_id: int) -> None:
        """Unplug a disk from a VM (``DELETE /disks/UUID/mounts/UUID_VMID``)."""
        operation = "DELETE /disks/UUID/mounts/MOUNT"
        path = _path(uuid)
        mount_id = f"{uuid.lower()}_{checked_vm_id(vm_id)}"
        answer = self._answer(operation, "DELETE", f"{path}/mounts/{mount_id}")
        if answer.repeated and answer.status == HTTPStatus.NOT_FOUND and self._device(uuid, vm_id) is None:
            # An earlier try was carried out: PDisk itself lists no such mount.
            return
        mount = self._object(operation, self._accepted(operation, answer))
        self._check(operation, self._field(operation, mount, "mountId"), mount_id)

    def _request(
        self, operation: str, method: str, path: str, form: dict[str, str] | None = None
    ) -> HttpAnswer:
        return self._accepted(operation, self._answer(operation, method, path, form))

    def _answer(
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
        if answer.status == HTTPStatus.NOT_FOUND:
            missing = disk_ids_in(_own_message(answer) or "")
            if missing and not any(uuid in path for uuid in missing):
                raise self._connection.malformed(operation, f"it is about {missing[0]}, not about {path}")
        return answer

    def _accepted(self, operation: str, answer: HttpAnswer) -> HttpAnswer:
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            own = _own_message(answer)
            # Another's 404 says nothing of the disk, in whatever form it comes.
            message = _message(answer) if answer.status != HTTPStatus.NOT_FOUND else own
            refused: StratusLabError = self._connection.refused(operation, answer, message)
            if own is None and operation in _CHANGES:
                refused = in_doubt(refused)
            raise worst_of(refused, repeated=answer.repeated and operation.startswith("DELETE"))
        return answer

    def _check(self, operation: str, found: str, asked: str) -> None:
        """Refuse an answer about something that was not asked for."""
        if found.lower() != asked.lower():
            raise self._connection.malformed(operation, f"it is about {found[:50]}, not about {asked}")

    def _list(self, operation: str, answer: HttpAnswer) -> list[Any]:
        found = self._json(operation, answer)
        if not isinstance(found, list):
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
    return text_or_none(_error(answer).get("message"))


def _own_message(answer: HttpAnswer) -> str | None:
    """Return what PDisk says of an error; what stands in front of it has other forms, also in JSON."""
    return _message(answer) if _error(answer).get("code") == answer.status else None


def _error(answer: HttpAnswer) -> dict[str, Any]:
    try:
        found = decode(answer.body)
    except DocumentError:
        return {}
    return found if isinstance(found, dict) else {}


def _names(uuid: str, message: str | None) -> bool:
    """Return whether a message names a disk; a path that is quoted in it names none."""
    return re.search(rf"(?<![/\w-]){uuid.lower()}(?![/\w-])", message or "") is not None
