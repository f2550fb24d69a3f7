"""All images of one OpenNebula, and which VMs use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.virtual_machine import VmState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stratuslab.sandbox.opennebula.model.image import OneImage
    from stratuslab.sandbox.opennebula.model.users import User, UserPool
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
    from stratuslab.sandbox.opennebula.template.template import Vector
    from stratuslab.sandbox.table import Table

_NEXT_ID = "image"


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
        """Return an image, None if there is none of that id."""
        return self._table.get(image_id)

    def owner(self, image: OneImage) -> User:
        """Return the user whom an image belongs to."""
        return self._users.contact(image.owner)

    def is_usable(self, image: OneImage, user: User) -> bool:
        """Tell whether a user may make disks of an image."""
        return image.is_public or user.is_admin or image.owner == user.login

    def seen_by(self, user: User) -> Iterator[tuple[OneImage, User, bool]]:
        """Yield all images, each with its owner and whether the user may make disks of it."""
        for image in self:
            yield image, self.owner(image), self.is_usable(image, user)

    def meant_by(self, disk: Vector, user: User) -> OneImage | None:
        """Find the image which the disk of a template names, None if the user has none like that."""
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
