"""The requests about images: allocate, look, clone, change, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import fault_of_name, updated
from stratuslab.sandbox.opennebula.current.books import selected
from stratuslab.sandbox.opennebula.current.documents import image_document, pool
from stratuslab.sandbox.opennebula.current.objects import Image, Snapshots
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError, not_authorized
from stratuslab.sandbox.opennebula.current.requests.vms import changed_permissions
from stratuslab.sandbox.opennebula.current.states import ImageState
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Account
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release

TYPES = {"OS": 0, "CDROM": 1, "DATABLOCK": 2, "KERNEL": 3, "RAMDISK": 4, "CONTEXT": 5, "BACKUP": 6}
_NOT_KEPT = ("NAME", "TYPE", "PERSISTENT", "PATH", "SOURCE", "SIZE")
_UNKNOWN_SIZE_MIB = 1024
_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_PREFIX = "Error allocating a new image. "


class ImageRequests:
    """Answers the requests about images."""

    def __init__(
        self, books: Books, devices: Devices, life_cycle: LifeCycle, quotas: Quotas, release: Release
    ) -> None:
        self._books = books
        self._devices = devices
        self._life_cycle = life_cycle
        self._quotas = quotas
        self._release = release
        self.requests: Requests = {
            "one.image.allocate": self._allocate,
            "one.image.info": self._show,
            "one.imagepool.info": self._list,
            "one.image.delete": self._delete,
            "one.image.clone": self._clone,
            "one.image.persistent": self._persist,
            "one.image.enable": self._enable,
            "one.image.rename": self._rename,
            "one.image.update": self._update,
            "one.image.chmod": self._change_permissions,
            "one.image.chtype": self._change_type,
            "one.image.lock": self._lock,
            "one.image.unlock": self._unlock,
        }

    def add(self, image: Image, request: Request) -> int:
        """Give an image its id and begin to make it; raises RefusalError."""
        datastore = self._books.datastore(image.datastore_id)
        if datastore.type != 0:
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{self._release.system_datastore}")
        self._quotas.check(request.user, _wanted(image))
        if fault := fault_of_name(image.name):
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{fault}")
        self._refuse_taken(image.name, request.user, Code.ALLOCATE, _PREFIX)
        if image.size > (min(datastore.free_mb, datastore.limit_mb or datastore.free_mb)):
            raise RefusalError(Code.ACTION, "Not enough space in datastore")
        image.id = self._books.new_id("image")
        self._life_cycle.make(image, request.now, request.driver)
        return image.id

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        datastore_id = request.arguments.integer(1)
        self._books.datastore(datastore_id)
        kind = template.single("TYPE").upper() or "OS"
        if kind not in TYPES:
            raise RefusalError(Code.INTERNAL, f"Unknown type {template.single('TYPE')}")
        size = template.single("SIZE")
        if not (size.isdecimal() or (not size and kind != "DATABLOCK")):
            text = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
            raise RefusalError(Code.INTERNAL, text)
        not_kept = (*_NOT_KEPT, *(("FORMAT", "DRIVER") if self._release.has_formats else ("FSTYPE",)))
        kept = [(name, value) for name, value in template.attributes if name not in not_kept]
        if "DEV_PREFIX" not in dict(kept):
            kept.append(("DEV_PREFIX", "hd" if kind == "CDROM" else "sd"))
        image = Image(
            -1,
            request.user.id,
            request.user.gid,
            template.single("NAME"),
            type=TYPES[kind],
            persistent=template.single("PERSISTENT").upper() == "YES",
            regtime=int(request.now),
            path=template.single("PATH"),
            format=template.single("FORMAT") or template.single("FSTYPE") or "raw",
            size=int(size) if size else _UNKNOWN_SIZE_MIB,
            datastore_id=datastore_id,
            template=Template(kept),
        )
        return self.add(image, request)

    def _show(self, request: Request) -> str:
        image = self._books.image(request.user, request.arguments.integer(0), "USE")
        return image_document(image, self._books, self._release)

    def _list(self, request: Request) -> str:
        filter_flag, first, last = (request.arguments.integer(index) for index in range(3))
        if filter_flag < -4:
            raise RefusalError(Code.API, "Incorrect filter_flag")
        paged = first >= 0 and last < -1
        ids = (-1, -1) if paged else (first, last)
        images = sorted(self._books.images.values(), key=lambda image: -image.id)
        shown = [image for image in images if selected(request.user, image, filter_flag, *ids)]
        if paged:
            shown = shown[first : first - last]
        return pool("IMAGE_POOL", (image_document(image, self._books, self._release) for image in shown))

    def _delete(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        if image.vms:
            text = f"Cannot delete image. There are {len(image.vms)} VMs using it."
            raise RefusalError(Code.ACTION, text)
        if image.state in _LOCKED:
            if self._release.locked_images_are_admins and not request.user.is_admin:
                raise not_authorized(request.user, "ADMIN IMAGE", image.id)
            if not self._release.locked_images_are_admins:
                text = (
                    "Image locked, use --force flag to remove the image."
                    " Force delete may leave some files on Datastore"
                )
                raise RefusalError(Code.INTERNAL, text, image.id)
        if image.cloning_ops:
            raise RefusalError(Code.ACTION, "Cannot delete image. There are active clone operations.")
        if image.state == ImageState.ERROR:
            del self._books.images[image.id]
        else:
            self._life_cycle.unmake(image, request.now, request.driver)
        return image.id

    def _clone(self, request: Request) -> int:
        source = self._books.image(request.user, request.arguments.integer(0), "USE")
        return self.copy(source, request.arguments.string(1), request.optional_integer(2, -1), request)

    def copy(self, source: Image, name: str, datastore_id: int, request: Request) -> int:
        """Begin to make a copy of an image, by default (-1) in the same datastore; raises RefusalError."""
        if source.snapshots.snapshots:
            raise RefusalError(Code.ACTION, "Cannot clone images with snapshots")
        copy = replace(
            source,
            id=-1,
            uid=request.user.id,
            gid=request.user.gid,
            name=name,
            permissions="110000000",
            lock=0,
            regtime=int(request.now),
            path=source.source,
            source="",
            datastore_id=source.datastore_id if datastore_id < 0 else datastore_id,
            vms=[],
            template=Template([*source.template.attributes]),
            snapshots=Snapshots(),
            cloning_ops=0,
            cloning_id=source.id,
        )
        self._quotas.check(request.user, _wanted(copy))
        if source.persistent and source.vms:
            text = f"{_PREFIX}Cannot clone image in state: USED"
            raise RefusalError(Code.ALLOCATE, text)
        if source.state not in (ImageState.READY, ImageState.USED, ImageState.CLONE):
            text = f"{_PREFIX}Cannot clone image in state: {ImageState(source.state).name}"
            raise RefusalError(Code.ALLOCATE, text)
        self.add(copy, request)
        source.cloning_ops += 1
        self._devices.settle(source)
        return copy.id

    def _persist(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        wanted = request.arguments.boolean(1)
        what = "persistent" if wanted else "non-persistent"
        if wanted != image.persistent:
            if image.vms:
                text = f"Could not make image {what}: Image cannot be in state USED."
                raise RefusalError(Code.INTERNAL, text)
            if image.snapshots.snapshots:
                raise RefusalError(Code.INTERNAL, f"Could not make image {what}: Image has snapshots.")
        image.persistent = wanted
        self._books.images[image.id] = image
        return image.id

    def _enable(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        if request.arguments.boolean(1):
            if image.state == ImageState.DISABLED:
                image.state = ImageState.READY
        elif image.vms or image.state not in (ImageState.READY, ImageState.DISABLED):
            raise RefusalError(Code.INTERNAL, "Could not disable image: Image cannot be in state USED.")
        else:
            image.state = ImageState.DISABLED
        self._books.images[image.id] = image
        return image.id

    def _rename(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        name = request.arguments.string(1)
        if fault := fault_of_name(name):
            raise RefusalError(Code.ACTION, fault)
        if name != image.name:
            self._refuse_taken(name, self._books.users[image.uid], Code.ACTION, "")
        image.name = name
        self._books.images[image.id] = image
        return image.id

    def _update(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        changes = request.template(1)
        append = request.arguments.integer(2) == 1
        image.template = updated(image.template, changes) if append else changes
        self._books.images[image.id] = image
        return image.id

    def _change_permissions(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        image.permissions = changed_permissions(image.permissions, request)
        self._books.images[image.id] = image
        return image.id

    def _change_type(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        kind = request.arguments.string(1).upper()
        if kind not in TYPES:
            raise RefusalError(Code.INTERNAL, f"Unknown type {kind}")
        image.type = TYPES[kind]
        self._books.images[image.id] = image
        return image.id

    def _lock(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "MANAGE")
        image.lock, image.locked_at = request.arguments.integer(1), int(request.now)
        self._books.images[image.id] = image
        return image.id

    def _unlock(self, request: Request) -> int:
        image = self._books.image(request.user, request.arguments.integer(0), "USE")
        if image.uid != request.user.id and not request.user.is_admin:
            raise not_authorized(request.user, "MANAGE IMAGE", image.id)
        image.lock = 0
        self._books.images[image.id] = image
        return image.id

    def _refuse_taken(self, name: str, owner: Account, code: Code, prefix: str) -> None:
        for other in self._books.images.values():
            if other.name == name and other.uid == owner.id:
                raise RefusalError(code, f"{prefix}NAME is already taken by IMAGE {other.id}.")


def _wanted(image: Image) -> dict[tuple[str, str, str], float]:
    datastore = str(image.datastore_id)
    return {("DATASTORE", datastore, "IMAGES"): 1, ("DATASTORE", datastore, "SIZE"): image.size}
