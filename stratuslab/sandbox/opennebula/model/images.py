"""Images of OpenNebula itself, which StratusLab's own clients never use, and which VMs use them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, USED_BY_ALL
from stratuslab.sandbox.opennebula.model.virtual_machine import VmState
from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stratuslab.sandbox.opennebula.model.users import User, UserPool
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.opennebula.template.template import Vector
    from stratuslab.sandbox.table import Table

_KEPT_ELSEWHERE = ("NAME", "TYPE", "PERSISTENT", "PATH", "SOURCE", "FSTYPE", "SIZE")
_USUAL_SIZE = "1"
_NEXT_ID = "image"


class ImageType(IntEnum):
    """What an image holds."""

    OS = 0
    CDROM = 1
    DATABLOCK = 2


class ImageTemplateError(Exception):
    """A template that describes no image; the text is OpenNebula's where that is known."""


@dataclass(frozen=True)
class OneImage:
    """An image; `regtime` in Unix seconds, `size` in MiB. A locked image waits for its content."""

    id: int
    owner: str
    name: str
    type: ImageType
    persistent: bool
    regtime: int
    source: str
    path: str
    fstype: str
    size: str
    attributes: Sequence[tuple[str, str]]
    is_public: bool = False
    is_locked: bool = False

    def to_xml(self, owner: User, running_vms: int) -> str:
        """Return `<IMAGE>`; `owner` is the user whose login name is the image's."""
        state = 4 if self.is_locked else 2 if running_vms else 1
        return (
            f"<IMAGE><ID>{self.id}</ID><UID>{owner.uid}</UID><GID>{owner.gid}</GID><UNAME>{owner.uname}</UNAME>"
            f"<GNAME>{owner.gname}</GNAME><NAME>{self.name}</NAME>"
            f"{USED_BY_ALL if self.is_public else OWNER_ONLY}"
            f"<TYPE>{self.type:d}</TYPE><PERSISTENT>{self.persistent:d}</PERSISTENT>"
            f"<REGTIME>{self.regtime}</REGTIME><SOURCE>{self.source}</SOURCE><PATH>{self.path}</PATH>"
            f"<FSTYPE>{self.fstype}</FSTYPE><SIZE>{self.size}</SIZE><STATE>{state}</STATE>"
            f"<RUNNING_VMS>{running_vms}</RUNNING_VMS>{Template([*self.attributes]).to_xml()}</IMAGE>"
        )

    def complete(self, disk: Vector) -> None:
        """Fill in what the disk of a VM has from the image it is made of."""
        prefix = dict(self.attributes).get("DEV_PREFIX", "hd")
        letter = {ImageType.OS: "a", ImageType.CDROM: "c", ImageType.DATABLOCK: "e"}[self.type]
        disk.update(
            CLONE="NO" if self.persistent else "YES",
            IMAGE=self.name,
            IMAGE_ID=str(self.id),
            SAVE="YES" if self.persistent else "NO",
            SOURCE=self.source,
            TYPE="CDROM" if self.type is ImageType.CDROM else "DISK",
        )
        disk.setdefault("READONLY", "YES" if self.type is ImageType.CDROM else "NO")
        disk.setdefault("TARGET", prefix + letter)


def image_of(text: str, image_id: int, owner: User, now: float) -> OneImage:
    """Make the image that a template describes; raises ImageTemplateError. Nothing is copied."""
    try:
        template = parse(text)
    except TemplateError as error:
        raise ImageTemplateError(str(error)) from error
    kind = template.single("TYPE").upper() or "OS"
    if kind not in ImageType.__members__:
        raise ImageTemplateError("Unknown type in template.")
    path, source, fstype, size = (template.single(name) for name in ("PATH", "SOURCE", "FSTYPE", "SIZE"))
    if ImageType[kind] is ImageType.DATABLOCK:
        if not (path or source or (size and fstype)):
            raise ImageTemplateError("SIZE and FSTYPE are mandatory for DATABLOCK.")
    elif not (path or source):
        raise ImageTemplateError("No PATH in template.")
    attributes = {name: value for name, value in template.attributes if isinstance(value, str)}
    attributes.setdefault("DEV_PREFIX", "hd")
    return OneImage(
        image_id,
        owner.login,
        template.single("NAME"),
        ImageType[kind],
        template.single("PERSISTENT").upper() == "YES",
        int(now),
        source or _source(f"{owner.login}:{image_id}:{now}"),
        path,
        fstype,
        size or _USUAL_SIZE,
        [(name, value) for name, value in attributes.items() if name not in _KEPT_ELSEWHERE],
        is_public=template.single("PUBLIC").upper() == "YES",
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
        owner.login,
        name,
        ImageType.OS,
        False,
        int(now),
        "-",
        "",
        "",
        "0",
        [*attributes.items()],
        is_locked=True,
    )


class OneImages:
    """The images by id. Not thread-safe."""

    def __init__(
        self,
        table: Table[int, OneImage],
        next_ids: Table[str, int],
        users: UserPool,
        vms: Mapping[int, VirtualMachine],
    ) -> None:
        self._table = table
        self._next_ids = next_ids
        self._users = users
        self._vms = vms

    def __iter__(self) -> Iterator[OneImage]:
        return iter([*self._table.values()])

    @property
    def next_id(self) -> int:
        """The id of the next image."""
        return self._next_ids.get(_NEXT_ID, 0)

    def add(self, image: OneImage) -> int:
        """Add an image, which has the next id; return that."""
        self._table[image.id] = image
        self._next_ids[_NEXT_ID] = image.id + 1
        return image.id

    def remove(self, image: OneImage) -> None:
        """Remove an image."""
        del self._table[image.id]

    def get(self, image_id: int) -> OneImage | None:
        """Return an image by its id; None if it does not exist."""
        return self._table.get(image_id)

    def owner(self, image: OneImage) -> User:
        """Return the owner of an image."""
        return self._users.contact(image.owner)

    def is_usable(self, image: OneImage, user: User) -> bool:
        """Tell whether a user may make disks of an image."""
        return image.is_public or user.is_admin or image.owner == user.login

    def seen_by(self, user: User) -> Iterator[tuple[OneImage, User, bool]]:
        """Yield all images, each with its owner and whether the user may make disks of it."""
        for image in self:
            yield image, self.owner(image), self.is_usable(image, user)

    def meant_by(self, disk: Vector, user: User) -> OneImage | None:
        """Find the image that the disk of a template names; None if the user has no such image."""
        uname = disk.get("IMAGE_UNAME") or user.uname
        for image in self:
            names_it = (
                disk["IMAGE_ID"] == str(image.id)
                if "IMAGE_ID" in disk
                else (disk["IMAGE"], uname) == (image.name, self.owner(image).uname)
            )
            if names_it and self.is_usable(image, user) and not image.is_locked:
                return image
        return None

    def running_vms(self, image: OneImage) -> int:
        """Count the VMs which have the image on one of their disks."""
        return sum(
            any(disk.get("IMAGE_ID") == str(image.id) for disk in vm.template.vectors("DISK"))
            for vm in self._vms.values()
            if vm.state != VmState.DONE
        )

    def document(self, image: OneImage) -> str:
        """Return `<IMAGE>`."""
        return image.to_xml(self.owner(image), self.running_vms(image))


def _source(unique: str) -> str:
    return f"/var/lib/one/images/{hashlib.md5(unique.encode(), usedforsecurity=False).hexdigest()}"
