"""Images of OpenNebula 3.2 itself, which StratusLab's own clients never use, and which VMs use them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import owner_elements, permission_elements
from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, USED_BY_ALL, may
from stratuslab.sandbox.opennebula.model.states import ImageState, ImageType
from stratuslab.sandbox.opennebula.model.users import OfUser
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.template.template import Vector

_KEPT_ELSEWHERE = ("NAME", "TYPE", "PERSISTENT", "PATH", "SOURCE", "FSTYPE", "SIZE")
_USUAL_SIZE = "1"
_LETTERS = {ImageType.OS: "a", ImageType.CDROM: "c", ImageType.DATABLOCK: "e"}


class ImageTemplateError(Exception):
    """A template that describes no image; the text is OpenNebula's where that is known."""


@dataclass(frozen=True)
class OneImage(OfUser):
    """An image; `regtime` in Unix seconds, `size` in MiB. A locked image waits for its content."""

    id: int
    owner: User
    name: str
    type: int
    persistent: bool
    regtime: int
    source: str
    path: str
    fstype: str
    size: str
    attributes: Sequence[tuple[str, str]]
    permissions: str = OWNER_ONLY
    is_locked: bool = False

    def to_xml(self, running_vms: int) -> str:
        """Return `<IMAGE>`."""
        unlocked = ImageState.USED if running_vms else ImageState.READY
        return (
            f"<IMAGE>{owner_elements(self, self.owner.uname, self.owner.gname)}{permission_elements(self)}"
            f"<TYPE>{self.type:d}</TYPE><PERSISTENT>{self.persistent:d}</PERSISTENT>"
            f"<REGTIME>{self.regtime}</REGTIME><SOURCE>{self.source}</SOURCE><PATH>{self.path}</PATH>"
            f"<FSTYPE>{self.fstype}</FSTYPE><SIZE>{self.size}</SIZE>"
            f"<STATE>{ImageState.LOCKED if self.is_locked else unlocked:d}</STATE>"
            f"<RUNNING_VMS>{running_vms}</RUNNING_VMS>{Template([*self.attributes]).to_xml()}</IMAGE>"
        )

    def complete(self, disk: Vector) -> None:
        """Fill in what the disk of a VM has from the image it is made of."""
        is_cdrom = self.type == ImageType.CDROM
        prefix = dict(self.attributes).get("DEV_PREFIX", "hd")
        disk.update(
            CLONE="NO" if self.persistent else "YES",
            IMAGE=self.name,
            IMAGE_ID=str(self.id),
            SAVE="YES" if self.persistent else "NO",
            SOURCE=self.source,
            TYPE="CDROM" if is_cdrom else "DISK",
        )
        disk.setdefault("READONLY", "YES" if is_cdrom else "NO")
        disk.setdefault("TARGET", prefix + _LETTERS[ImageType(self.type)])


def image_of(template: Template, image_id: int, owner: User, now: float) -> OneImage:
    """Make the image that a template describes; raises ImageTemplateError. Nothing is copied."""
    kind = template.single("TYPE").upper() or "OS"
    if kind not in [known.name for known in _LETTERS]:
        raise ImageTemplateError("Unknown type in template.")
    path, source, fstype, size = (template.single(name) for name in ("PATH", "SOURCE", "FSTYPE", "SIZE"))
    if kind == "DATABLOCK":
        if not (path or source or (size and fstype)):
            raise ImageTemplateError("SIZE and FSTYPE are mandatory for DATABLOCK.")
    elif not (path or source):
        raise ImageTemplateError("No PATH in template.")
    attributes = {name: value for name, value in template.attributes if isinstance(value, str)}
    attributes.setdefault("DEV_PREFIX", "hd")
    unique = f"{owner.login}:{image_id}:{now}".encode()
    return OneImage(
        image_id,
        owner,
        template.single("NAME"),
        ImageType[kind],
        template.single("PERSISTENT").upper() == "YES",
        int(now),
        source or f"/var/lib/one/images/{hashlib.md5(unique, usedforsecurity=False).hexdigest()}",
        path,
        fstype,
        size or _USUAL_SIZE,
        [(name, value) for name, value in attributes.items() if name not in _KEPT_ELSEWHERE],
        USED_BY_ALL if template.single("PUBLIC").upper() == "YES" else OWNER_ONLY,
    )


def saved_image(image_id: int, owner: User, name: str, vm_id: int, disk_id: int, now: float) -> OneImage:
    """Make the image that will hold a disk of a VM after the VM has ended."""
    attributes = {
        "DEV_PREFIX": "hd",
        "PUBLIC": "NO",
        "SAVED_DISK_ID": str(disk_id),
        "SAVED_VM_ID": str(vm_id),
    }
    return OneImage(
        image_id,
        owner,
        name,
        ImageType.OS,
        persistent=False,
        regtime=int(now),
        source="-",
        path="",
        fstype="",
        size="0",
        attributes=[*attributes.items()],
        is_locked=True,
    )


def image_named(disk: Vector, images: Iterable[OneImage], user: User) -> OneImage | None:
    """Find the image that the disk of a template names; None if the user has no such image."""
    uname = disk.get("IMAGE_UNAME") or user.uname
    for image in images:
        names_it = (
            disk["IMAGE_ID"] == str(image.id)
            if "IMAGE_ID" in disk
            else (disk["IMAGE"], uname) == (image.name, image.owner.uname)
        )
        if names_it and may(user, image, "USE") and not image.is_locked:
            return image
    return None
