"""The requests about images: allocate, look, clone, change, delete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import updated
from stratuslab.sandbox.opennebula.current.documents import image_document
from stratuslab.sandbox.opennebula.current.objects import Image, Snapshots
from stratuslab.sandbox.opennebula.current.quotas import usage_of_image
from stratuslab.sandbox.opennebula.current.requests.request import (
    change_permissions,
    changing,
    listed,
    locking,
    rename,
    unlocking,
)
from stratuslab.sandbox.opennebula.model.names import fault_if_taken, fault_of_name
from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, may_work_with
from stratuslab.sandbox.opennebula.model.states import BEING_MADE, ImageState, ImageType
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, forbidden, not_authorized
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release

_NOT_KEPT = ("NAME", "TYPE", "PERSISTENT", "PATH", "SOURCE", "SIZE")
_UNKNOWN_SIZE_MIB = 1024
_PREFIX = "Error allocating a new image. "
_UPDATE_PREFIX = "Cannot update template. "


@dataclass(frozen=True)
class ImageRequests:
    """Answers the requests about images."""

    books: Books
    devices: Devices
    life_cycle: LifeCycle
    quotas: Quotas
    release: Release

    def requests(self) -> Requests:
        """Return what answers each method."""
        images = self.books.images
        return {
            "one.image.allocate": self._allocate,
            "one.image.info": self._show,
            "one.imagepool.info": lambda request: listed(
                request, images.values(), "IMAGE_POOL", self._document
            ),
            "one.image.delete": self._delete,
            "one.image.clone": self._clone,
            "one.image.persistent": changing(images, "IMAGE", self._persist),
            "one.image.enable": changing(images, "IMAGE", self._enable),
            "one.image.rename": changing(images, "IMAGE", self._rename),
            "one.image.update": changing(images, "IMAGE", self._update),
            "one.image.chmod": changing(images, "IMAGE", change_permissions),
            "one.image.chtype": changing(images, "IMAGE", self._change_type),
            "one.image.lock": locking(images, "IMAGE"),
            "one.image.unlock": unlocking(images, "IMAGE"),
        }

    def add(self, image: Image, request: Request) -> int:
        """Give an image its id and begin to make it; raises RefusalError."""
        datastore = self.books.datastore(image.datastore_id)
        if datastore.type != 0:
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{self.release.system_datastore}")
        self.quotas.check(request.user, usage_of_image(image))
        fault = fault_of_name(image.name) or self._fault_if_taken(image.name, image.uid)
        if fault:
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{fault}")
        if image.size > min(datastore.free_mb, datastore.limit_mb or datastore.free_mb):
            raise RefusalError(Code.ACTION, "Not enough space in datastore")
        image.id = self.books.next_ids.take("image")
        self.life_cycle.make(image, request)
        return image.id

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        datastore_id = request.arguments.integer(1)
        self.books.datastore(datastore_id)
        kind = template.single("TYPE").upper() or "OS"
        if "SOURCE" in dict(template.attributes) and not request.user.is_admin:
            raise forbidden(request.user, "Template includes a restricted attribute SOURCE.")
        fault = _fault_of_type(kind)
        if fault:
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{fault}")
        size = template.single("SIZE")
        if size.startswith("-") and size[1:].isdecimal():
            text = f"user [{request.user.uid}] Image size must be a positive integer value."
            raise forbidden(request.user, text)
        if not (size.isdecimal() or (not size and kind != "DATABLOCK")):
            text = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
            raise RefusalError(Code.INTERNAL, text)
        not_kept = (*_NOT_KEPT, *(("FORMAT", "DRIVER") if self.release.has_formats else ("FSTYPE",)))
        kept = [(name, value) for name, value in template.attributes if name not in not_kept]
        if "DEV_PREFIX" not in dict(kept):
            kept.append(("DEV_PREFIX", "hd" if kind == "CDROM" else "sd"))
        image = Image(
            -1,
            request.user.uid,
            request.user.gid,
            template.single("NAME"),
            type=int(ImageType[kind]),
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
        return self._document(self.books.image(request.user, request.arguments.integer(0), "USE"))

    def _document(self, image: Image) -> str:
        return image_document(image, self.books, self.release)

    def _delete(self, request: Request) -> int:
        image = self.books.image(request.user, request.arguments.integer(0), "MANAGE")
        if image.vms:
            text = f"Cannot delete image. There are {len(image.vms)} VMs using it."
            raise RefusalError(Code.ACTION, text)
        if image.state in BEING_MADE:
            if not self.release.locked_images_are_admins:
                text = (
                    "Image locked, use --force flag to remove the image."
                    " Force delete may leave some files on Datastore"
                )
                raise RefusalError(Code.INTERNAL, text, image.id)
            if not request.user.is_admin:
                raise not_authorized(request.user, "ADMIN IMAGE", image.id)
        if image.cloning_ops:
            raise RefusalError(Code.ACTION, "Cannot delete image. There are active clone operations.")
        if image.state == ImageState.ERROR:
            del self.books.images[image.id]
        else:
            self.life_cycle.unmake(image, request)
        return image.id

    def _clone(self, request: Request) -> int:
        source = self.books.image(request.user, request.arguments.integer(0), "USE")
        if not may_work_with(request.user, source):
            raise not_authorized(request.user, "USE IMAGE", source.id)
        name, datastore_id = request.arguments.string(1), request.arguments.integer(2, -1)
        if datastore_id >= 0 and self.books.datastore(datastore_id).type != 0:
            raise RefusalError(Code.ACTION, "Clone only supported for IMAGE_DS Datastores")
        return self.copy(source, name, request, datastore_id)

    def copy(self, source: Image, name: str, request: Request, datastore_id: int = -1) -> int:
        """Begin to make a copy of an image, by default (-1) in the same datastore; raises RefusalError."""
        if source.snapshots.snapshots:
            raise RefusalError(Code.ACTION, "Cannot clone images with snapshots")
        copy = replace(
            source,
            id=-1,
            uid=request.user.uid,
            gid=request.user.gid,
            name=name,
            permissions=OWNER_ONLY,
            lock=0,
            regtime=int(request.now),
            path=source.source,
            source="",
            datastore_id=source.datastore_id if datastore_id < 0 else datastore_id,
            vms=[],
            template=source.template.copy(),
            snapshots=Snapshots(),
            cloning_ops=0,
            cloning_id=source.id,
        )
        self.quotas.check(request.user, usage_of_image(copy))
        state = ImageState.USED if source.persistent and source.vms else ImageState(source.state)
        can_be_cloned = state in (ImageState.READY, ImageState.USED, ImageState.CLONE)
        if not can_be_cloned or (source.persistent and source.vms):
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}Cannot clone image in state: {state.name}")
        self.add(copy, request)
        source.cloning_ops += 1
        self.devices.settle(source)
        return copy.id

    def _persist(self, request: Request, image: Image) -> None:
        wanted = request.arguments.boolean(1)
        if wanted != image.persistent:
            failed = f"Could not make image {'persistent' if wanted else 'non-persistent'}: Image"
            if image.vms:
                raise RefusalError(Code.INTERNAL, f"{failed} cannot be in state USED.")
            if image.snapshots.snapshots:
                raise RefusalError(Code.INTERNAL, f"{failed} has snapshots.")
        image.persistent = wanted

    def _enable(self, request: Request, image: Image) -> None:
        if request.arguments.boolean(1):
            if image.state == ImageState.DISABLED:
                image.state = ImageState.READY
        elif image.vms or image.state not in (ImageState.READY, ImageState.DISABLED):
            raise RefusalError(Code.INTERNAL, "Could not disable image: Image cannot be in state USED.")
        else:
            image.state = ImageState.DISABLED

    def _rename(self, request: Request, image: Image) -> None:
        name = request.arguments.string(1)
        rename(request, image, "" if name == image.name else self._fault_if_taken(name, image.uid))

    def _update(self, request: Request, image: Image) -> None:
        changes = request.template(1, _UPDATE_PREFIX)
        if "SOURCE" in dict(changes.attributes) and not request.user.is_admin:
            text = "User Template includes a restricted attribute SOURCE"
            raise RefusalError(Code.INTERNAL, f"{_UPDATE_PREFIX}{text}")
        image.template = updated(image.template, changes, request.arguments.integer(2))

    def _change_type(self, request: Request, image: Image) -> None:
        kind = request.arguments.string(1).upper()
        if kind not in ImageType.__members__:
            raise RefusalError(Code.INTERNAL, f"Unknown type {kind}")
        image.type = int(ImageType[kind])

    def _fault_if_taken(self, name: str, uid: int) -> str:
        return fault_if_taken(name, uid, self.books.images.values(), "IMAGE")


def _fault_of_type(kind: str) -> str:
    """Return why there can be no image of a type in the datastores that there are; empty if there can."""
    if kind in ("KERNEL", "RAMDISK", "CONTEXT"):
        return "IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore"
    return "" if kind in ("OS", "CDROM", "DATABLOCK") else "Unknown type "
