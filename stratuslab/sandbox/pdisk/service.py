"""PDisk over HTTP: its resources under `/pdisk/pswd`, with the answers and the bugs of release 14.06."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from stratuslab.sandbox.dialect import RELEASE_14_06
from stratuslab.sandbox.http.restlet import (
    FORM,
    GZIP,
    HTML,
    JSON,
    MULTIPART,
    PLAIN,
    XHTML,
    Call,
    ResourceError,
    Router,
    answer,
    base_url,
    error_page,
    file,
    first_understood,
    negotiated,
    operations,
    page,
    page_with_list,
    representation,
    see_other,
    status_page,
)
from stratuslab.sandbox.marketplace.image_entry import identifier_of
from stratuslab.sandbox.pdisk import disk_contents, disk_json
from stratuslab.sandbox.pdisk.disk_form import check_contents, check_size, revised
from stratuslab.sandbox.pdisk.disk_json import DiskJson
from stratuslab.sandbox.pdisk.disks import (
    STATIC_DEVICE,
    SUPERUSER,
    AlreadyMountedError,
    DiskInUseError,
    DiskType,
    Mount,
    NoFreeDeviceError,
    NotMountedError,
    UnknownDiskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Request, Response

    from stratuslab.sandbox.dialect import Dialect
    from stratuslab.sandbox.pdisk.disks import Disk, DiskStore

_UNREACHABLE_NODES = ("None", "null")


@dataclass(frozen=True)
class _Call(Call):
    """One request of a user to one resource, and what every resource asks about it."""

    user: str

    @property
    def uuid(self) -> str:
        return self.values[0]

    @property
    def wants_json(self) -> bool:
        return negotiated(self.request, (JSON, HTML)) == JSON

    def form(self) -> Mapping[str, str]:
        """Read the first value of each field; 415 if the body is no form."""
        if self.request.content_length and self.request.mimetype != FORM:
            raise ResourceError(415)
        return self.request.form.to_dict()

    def filled_form(self) -> Mapping[str, str]:
        """Read the form, or refuse (400) if there is no body."""
        if not self.request.content_length:
            raise ResourceError(400, "post with null entity")
        return self.form()

    def disk_url(self, uuid: str) -> str:
        return f"{self.base_url}/disks/{uuid}"


class DiskService:
    """The PDisk service of one location.

    The user is already known: `handle` takes the name.
    """

    def __init__(self, disks: DiskStore, dialect: Dialect = RELEASE_14_06) -> None:
        self._disks = disks
        self._json = DiskJson(dialect)
        self._resources: dict[str, dict[str, Callable[[_Call], Response]]] = {
            "/": {"GET": self._home},
            "/disks/": {"GET": self._list, "POST": self._create},
            "/disks/UUID": {
                "GET": self._show,
                "PUT": self._update,
                "POST": self._copy_or_rebase,
                "DELETE": self._delete,
            },
            "/disks/UUID/mounts/": {"GET": self._mounts, "POST": self._attach},
            "/disks/UUID/mounts/MOUNT": {"GET": self._mount, "DELETE": self._detach},
            "/disks/UUID/turl/": {"GET": self._turl},
            "/instances/": {"GET": self._instances},
            "/instances/ID": {"GET": self._instance},
        }
        self._router = Router(self._resources)

    def operations(self) -> list[str]:
        """Return all that `operation` can name."""
        return operations(self._resources)

    def operation(self, method: str, path: str) -> str:
        """Name a request for a log: `GET /disks/UUID`, whatever the disk and the trailing slash."""
        route = self._router.route(path)
        return f"{method} {route.template if route else path}"

    def handle(self, request: Request, path: str, user: str) -> Response:
        """Answer a request for `path`, which begins with a slash, made by an authenticated user."""
        route = self._router.route(path)
        if route is None:
            return status_page(ResourceError(404))
        call = _Call(request, base_url(request, path), route.values, user)
        return answer(self._resources[route.template], call, _described)

    def _home(self, call: _Call) -> Response:
        link = f'<p><a href="{escape(call.base_url)}/disks/">Disks</a></p>'
        return representation(page("StratusLab Persistent Disk Service", link), HTML)

    def _list(self, call: _Call) -> Response:
        with self._disks.lock:
            owner = None if call.user == SUPERUSER else call.user
            disks = [(disk, self._disks.count(disk)) for disk in self._disks.disks(owner)]
        if call.wants_json:
            return representation(self._json.disks(disks), JSON)
        items = [
            f'<a href="{escape(call.disk_url(disk.uuid))}">{disk.uuid}</a> {escape(disk.tag)}'
            for disk, _ in disks
        ]
        return page_with_list("Disks", items)

    def _create(self, call: _Call) -> Response:
        if call.request.mimetype == MULTIPART:
            return self._upload(call)
        form = call.form()
        disk = revised(self._disks.new(call.user), form)
        check_size(disk)
        check_contents(form)
        with self._disks.lock:
            if disk.identifier and self._disks.identified(disk.identifier):
                raise ResourceError(403, "Disk already registered")
            self._disks.save(disk)
        if call.wants_json:
            return representation(disk_json.uuid(disk.uuid), JSON, status=201)
        return see_other(call.disk_url(disk.uuid))

    def _upload(self, call: _Call) -> Response:
        """Make a disk of the last file of the form; tag and size are PDisk's choice."""
        with call.request as request:
            files = [part.stream.read() for _, part in request.files.items(multi=True) if part.filename]
        if not files:
            raise ResourceError(400, "empty file uploaded")
        contents = files[-1]
        image = disk_contents.image_in(contents)
        disk = replace(
            self._disks.new(call.user),
            size_gib=image.size_gib,
            type=DiskType.DATA_IMAGE_RAW_READONLY,
            identifier=identifier_of(image.sha1),
            seed=True,
        )
        self._disks.upload(disk, contents)
        return see_other(call.disk_url(disk.uuid))

    def _show(self, call: _Call) -> Response:
        disk = self._viewable(call)
        wanted = negotiated(call.request, (JSON, GZIP, HTML))
        if wanted == GZIP:
            contents = self._disks.uploaded(disk.uuid) or disk_contents.blank(disk.size_gib)
            return file(call.request, contents, GZIP)
        if wanted == JSON:
            return self._disk_json(disk)
        items = [
            f"{name}: {escape(value)}"
            for name, value in [("tag", disk.tag), ("owner", disk.owner), ("size", str(disk.size_gib))]
        ]
        return page_with_list(f"Disk {disk.uuid}", items)

    def _update(self, call: _Call) -> Response:
        with self._disks.lock:
            self._disks.save(revised(self._viewable(call), call.filled_form()))
        return see_other(call.request.url)

    def _copy_or_rebase(self, call: _Call) -> Response:
        with self._disks.lock:
            disk = self._viewable(call)
            if disk.type is DiskType.MACHINE_IMAGE_ORIGIN:
                new = self._disks.snapshot(disk, owner="")
            elif disk.type is DiskType.MACHINE_IMAGE_LIVE:
                new = self._disks.rebase(disk, owner=call.user)
            else:
                state = f"Invalid disk state: {disk.type.value}."
                raise ResourceError(409, f"{state} Cannot create copy or save as new image.")
        return self._disk_json(new) if call.wants_json else see_other(call.disk_url(new.uuid))

    def _delete(self, call: _Call) -> Response:
        with self._disks.lock:
            disk = self._viewable(call)
            if not disk.editable_by(call.user):
                raise ResourceError(403, f"insufficient rights to delete disk ({disk.uuid})")
            try:
                self._disks.delete(disk.uuid)
            except DiskInUseError:
                raise ResourceError(409, f"disk ({disk.uuid}) is in use and can't be deleted") from None
        if call.wants_json:
            return representation(disk_json.uuid(disk.uuid), JSON)
        return see_other(f"{call.base_url}/disks/")

    def _mounts(self, call: _Call) -> Response:
        disk = self._known(call)
        mounts = self._disks.mounts(disk.uuid)
        if call.wants_json:
            return representation(disk_json.mounts(mounts), JSON)
        return page_with_list("Mounts", [f"{escape(mount.id)}: {mount.device}" for mount in mounts])

    def _attach(self, call: _Call) -> Response:
        with self._disks.lock:
            disk = self._known(call)
            form = call.filled_form()
            node, vm_id = (_required(form, field) for field in ("node", "vm_id"))
            hot = form.get("register_only", "").lower() != "true"
            try:
                device = self._disks.free_device(vm_id) if hot else STATIC_DEVICE
            except NoFreeDeviceError:
                raise ResourceError(409, "no free devices available") from None
            if not disk.viewable_by(call.user):
                raise ResourceError(403, "Not enough rights to attach disk")
            mount = Mount(disk.uuid, vm_id, device, node)
            if hot and node in _UNREACHABLE_NODES:
                raise ResourceError(500, _ssh_failure(mount, call.request.host))
            try:
                self._disks.mount(mount)
            except AlreadyMountedError:
                raise ResourceError(403, f"Mount already exists for: {vm_id} and {disk.uuid}") from None
        if call.wants_json:
            return representation(disk_json.attached(mount), JSON)
        return see_other(f"{call.disk_url(disk.uuid)}/mounts/{mount.id}")

    def _mount(self, call: _Call) -> Response:
        mount = self._mounted(call)
        if call.wants_json:
            return representation(disk_json.broken_mount(mount), JSON)
        return page_with_list("Mount Information", [f"{escape(mount.id)}: {mount.device}"])

    def _detach(self, call: _Call) -> Response:
        with self._disks.lock:
            mount = self._mounted(call)
            if not self._known(call).viewable_by(call.user):
                raise ResourceError(403, "insufficient rights to detach disk")
            self._disks.unmount(mount)
        if call.wants_json:
            return representation(disk_json.detached(mount), JSON)
        return see_other(f"{call.disk_url(mount.disk)}/mounts/")

    def _turl(self, call: _Call) -> Response:
        uuid = self._known(call).uuid
        host = call.request.host.partition(":")[0]
        turl = f"iscsi://{host}/iqn.2011-01.eu.stratuslab:{uuid}:1"
        if call.wants_json:
            return representation(disk_json.turl(uuid, turl), JSON)
        return representation(page("TURL", f"<p>{escape(turl)}</p>"), HTML)

    def _instances(self, call: _Call) -> Response:
        with self._disks.lock:
            disks = self._disks.disks(None if call.user == SUPERUSER else call.user)
            vm_ids = {mount.vm_id for disk in disks for mount in self._disks.mounts(disk.uuid)}
        if call.wants_json:
            return representation("", JSON)
        return page_with_list("Instances", map(escape, sorted(vm_ids)))

    def _instance(self, call: _Call) -> Response:
        vm_id = call.values[0]
        if call.wants_json:
            return representation("", JSON)
        items = [f"{mount.disk}: {mount.device}" for mount in self._disks.mounts_on(vm_id)]
        return page_with_list(f"Instance {vm_id}", items)

    def _known(self, call: _Call) -> Disk:
        try:
            return self._disks.get(call.uuid)
        except UnknownDiskError:
            raise ResourceError(404, f"Unknown disk: {call.uuid}") from None

    def _viewable(self, call: _Call) -> Disk:
        try:
            disk = self._disks.get(call.uuid)
        except UnknownDiskError:
            raise ResourceError(404, f"disk ({call.uuid}) does not exist") from None
        if not disk.viewable_by(call.user):
            raise ResourceError(403, f"insufficient access rights to view disk ({disk.uuid})")
        return disk

    def _mounted(self, call: _Call) -> Mount:
        uuid, mount_id = call.values
        try:
            return self._disks.mounted(uuid, mount_id.removeprefix(f"{uuid}_"))
        except NotMountedError:
            raise ResourceError(404) from None

    def _disk_json(self, disk: Disk) -> Response:
        return representation(self._json.disk(disk, self._disks.count(disk)), JSON)


def _required(form: Mapping[str, str], field: str) -> str:
    value = form.get(field)
    if not value:
        raise ResourceError(400, f"missing {field} attribute")
    return value


def _ssh_failure(mount: Mount, host: str) -> str:
    command = (
        f"ssh -p 22 oneadmin@{mount.node} /usr/sbin/stratus-pdisk-client.py --action up --attach"
        f" --pdisk-id pdisk:{host}:{mount.disk} --target {mount.device} --vm-id {mount.vm_id}"
    )
    output = f"ssh: Could not resolve hostname {mount.node}: Name or service not known"
    return f"An error occurred while executing command: {command}. {output}"


def _described(request: Request, error: ResourceError) -> Response:
    wanted = first_understood(request, (HTML, XHTML, PLAIN, JSON))
    if wanted == JSON:
        return representation(disk_json.error(error), JSON, status=error.status)
    if wanted in (HTML, XHTML):
        return error_page(error)
    return representation(f"ERROR ({error.status}): {error.description}", PLAIN, status=error.status)
