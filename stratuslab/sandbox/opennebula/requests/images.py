"""The requests to OpenNebula which concern its own images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.images import ImageTemplateError, image_of
from stratuslab.sandbox.opennebula.requests.request import (
    ErrorCode,
    RequestError,
    Selection,
    missing,
    not_authorized,
    required_name,
)

if TYPE_CHECKING:
    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.images import OneImage, OneImages
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests


class ImageRequests:
    """Looks at images, adds and removes them."""

    def __init__(self, images: OneImages, clock: Clock) -> None:
        self._images = images
        self._clock = clock
        self.requests: Requests = {
            "one.image.info": self._show,
            "one.image.allocate": self._allocate,
            "one.image.delete": self._delete,
            "one.imagepool.info": self._list,
        }

    def _show(self, user: User, arguments: Arguments) -> str:
        image = self._image(user, arguments.integer(0), "USE")
        return self._images.document(image)

    def _list(self, user: User, arguments: Arguments) -> str:
        selection = Selection.of(arguments)
        selected = (
            self._images.document(image)
            for image, owner, is_usable in self._images.seen_by(user)
            if selection.has_id(image.id) and selection.has_owner(owner, user, usable=is_usable)
        )
        return f"<IMAGE_POOL>{''.join(selected)}</IMAGE_POOL>"

    def _allocate(self, user: User, arguments: Arguments) -> int:
        try:
            image = image_of(arguments.string(0), self._images.next_id, user, self._clock.now())
        except ImageTemplateError as error:
            raise RequestError(ErrorCode.INTERNAL, f"Error allocating a new image. {error}") from error
        taken = {known.name: known.id for known in self._images if known.owner == user.login}
        required_name(image.name, taken, "IMAGE", "image")
        return self._images.add(image)

    def _delete(self, user: User, arguments: Arguments) -> int:
        image = self._image(user, arguments.integer(0), "MANAGE")
        if self._images.running_vms(image):
            raise RequestError(ErrorCode.INTERNAL, "Cannot delete image. It is used by a VM")
        self._images.remove(image)
        return image.id

    def _image(self, user: User, image_id: int, right: str) -> OneImage:
        image = self._images.get(image_id)
        if image is None:
            raise missing("image", image_id)
        is_own = user.is_admin or image.owner == user.login
        if not (is_own or (right == "USE" and image.is_public)):
            raise not_authorized(user, f"{right} IMAGE", image_id)
        return image
