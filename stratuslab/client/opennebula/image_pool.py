"""OpenNebula's images and VM templates: what machines are started from."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.client.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    ServiceError,
    StratusLabError,
    UnsettledError,
    outcome_unknown,
)
from stratuslab.client.opennebula.machine_template import MachineTemplate
from stratuslab.client.opennebula.one_image import OneImage
from stratuslab.client.opennebula.pool import describe, list_pool
from stratuslab.client.opennebula.template_text import attribute, checked_name
from stratuslab.client.opennebula.waiting import until_seen
from stratuslab.client.opennebula.xmlrpc_message import LAST_ID
from stratuslab.client.transport.settlement import settled, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.rpc import Rpc

__all__ = ["ImagePool", "checked_image_name"]

logger = logging.getLogger(__name__)

_MINE, _ALL = -3, -2
_UNKNOWN = "UNKNOWN"
_NAME_LENGTH = 128
_NAME_REFUSED = "&|:\\\";/'#{}$<>\t\n\r"


class ImagePool:
    """The images of one cloud, datablocks included, and its VM templates.

    Every method may raise any :class:`~stratuslab.client.errors.StratusLabError`.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc) -> None:
        self._cloud = cloud
        self._rpc = rpc

    def list_images(self, *, mine: bool = False) -> list[OneImage]:
        """Return the images that the user may use, or owns, by ascending id (``one.imagepool.info``)."""
        found = list_pool(
            self._rpc,
            "one.imagepool.info",
            _MINE if mine else _ALL,
            -1,
            -1,
            root="IMAGE_POOL",
            tag="IMAGE",
            read=OneImage.from_element,
        )
        return sorted(found, key=lambda image: image.id)

    def image(self, number: int) -> OneImage:
        """Return one image (``one.image.info``)."""
        return describe(self._rpc, "one.image.info", number, tag="IMAGE", read=OneImage.from_element)

    def list_templates(self) -> list[MachineTemplate]:
        """Return the VM templates that the user may use, by ascending id (``one.templatepool.info``)."""
        found = list_pool(
            self._rpc,
            "one.templatepool.info",
            _ALL,
            -1,
            -1,
            root="VMTEMPLATE_POOL",
            tag="VMTEMPLATE",
            read=MachineTemplate.from_element,
        )
        return sorted(found, key=lambda template: template.id)

    def template(self, number: int) -> MachineTemplate:
        """Return one VM template (``one.template.info``)."""
        return describe(
            self._rpc, "one.template.info", number, tag="VMTEMPLATE", read=MachineTemplate.from_element
        )

    def save_disk(self, vm_id: int, disk_id: int, name: str, description: str | None = None) -> OneImage:
        """Make an image of a VM's disk and return it when it is ready.

        Calls ``one.vm.disksaveas``, never sent twice.

        The image is waited for within the time-out (``one.image.info``); one that is not ready by then is
        returned as it is, one that fails is deleted and the error says why. Before, the user's images are
        looked through (``one.imagepool.info``): after a lost answer the image is known by its name.
        """
        return self._make(
            name, description, "one.vm.disksaveas", vm_id, disk_id, checked_image_name(name), "", -1
        )

    def copy(self, number: int, name: str, description: str | None = None) -> OneImage:
        """Copy an image and return the copy when it is ready (``one.image.clone``); see :meth:`save_disk`."""
        return self._make(name, description, "one.image.clone", number, checked_image_name(name), -1)

    def _make(self, name: str, description: str | None, method: str, *arguments: str | int) -> OneImage:
        text = attribute("DESCRIPTION", description, "description") if description else None
        taken = next((image for image in self.list_images(mine=True) if image.name == name.strip()), None)
        if taken is not None:
            raise ConflictError(
                f"you have an image {name!r} already: {taken.id}; choose another name",
                location=self._cloud.location,
                operation=method,
            )
        image = self.made(
            method, arguments, name, mark=name, is_ours=lambda image: image.name == name.strip()
        )
        if text is None:
            return image
        try:
            self._rpc.call_about(image.id, "one.image.update", image.id, text, 1)
        except StratusLabError as error:
            logger.warning("image %d was made, but without its description: %s", image.id, error)
            return image
        return replace(image, attributes={**image.attributes, "DESCRIPTION": description or ""})

    def made(
        self,
        method: str,
        arguments: tuple[str | int, ...],
        name: str,
        *,
        mark: str,
        is_ours: Callable[[OneImage], bool],
    ) -> OneImage:
        """Send the call that makes an image, once, and return the image when it is ready.

        If the answer is lost, or names an image that is not ours, ours is looked for by its mark
        (``one.imagepool.info``) for the time-out once more. Then it is waited for within the time-out
        (``one.image.info``), and returned as it is when the time is over. One that failed is deleted.

        :raises ServiceError: which says why the image failed.
        """
        try:
            number = self._number_in(
                method, self._rpc.call(method, *arguments, changes=True, repeatable=False)
            )
        except StratusLabError as error:
            number = self._settled(error, mark, is_ours)
        try:
            image = self._when_ready(number, name, method, is_ours)
            if image is None or (image.state != _UNKNOWN and not is_ours(image)):
                wrong = self._rpc.malformed(method, f"image {number} is not the one that was asked for")
                number = self._settled(wrong, mark, is_ours)
                image = self._when_ready(number, name, method, is_ours)
        except BaseException as error:
            if not isinstance(error, StratusLabError):
                logger.warning(
                    "location %r: the cloud accepted image %d, then %s was interrupted",
                    self._cloud.location,
                    number,
                    method,
                )
            raise
        if image is None:
            raise ServiceError(
                f"the cloud accepted image {number}, and it was gone before it was ready",
                location=self._cloud.location,
                operation=method,
            )
        return image

    def _number_in(self, method: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LAST_ID:
            raise self._rpc.malformed(method, "its value is not the id of an image")
        return value

    def _settled(self, error: StratusLabError, mark: str, is_ours: Callable[[OneImage], bool]) -> int:
        """Return the image that a failed call has made; else raise the error, or that it may still appear."""

        def look() -> OneImage | None:
            return next((image for image in self.list_images(mine=True) if is_ours(image)), None)

        found = settled(error, look, self._cloud.timeout)
        if found is not None:
            return found.id
        raise UnsettledError(
            f"{error.message}; no image with the mark {mark!r} has appeared, but it may: look for it in the "
            "list before you make another",
            location=error.location,
            operation=error.operation,
            token=mark,
        ) from error

    def _when_ready(
        self, number: int, name: str, operation: str, is_ours: Callable[[OneImage], bool]
    ) -> OneImage | None:
        """Return an image when it is ready, as it is when the time is over, and at once if it is not ours.

        None if there is no such image.
        """

        def settled(image: OneImage) -> bool:
            being_made = image.state in ("INIT", "CLONE", _UNKNOWN) or image.state.startswith("LOCKED")
            return not (being_made and is_ours(image))

        try:
            image = until_seen(lambda: self.image(number), settled, self._cloud.timeout)
        except NotFoundError:
            return None
        except StratusLabError as error:
            logger.warning("the cloud accepted image %d, but its state cannot be read: %s", number, error)
            return OneImage.accepted(number, name)
        if image.state == "ERROR" and is_ours(image):
            raise self._failed(image, operation)
        if not settled(image):
            logger.warning("image %d is not ready after %g s; it may be later", number, self._cloud.timeout)
        return image

    def _failed(self, image: OneImage, operation: str) -> ServiceError:
        why = self._rpc.connection.quotable(image.error or "it does not say why")
        try:
            self._rpc.call("one.image.delete", image.id)
            remains = "what was left of it is deleted"
        except NotFoundError:
            remains = "nothing is left of it"
        except StratusLabError as error:
            remains = f"delete what is left of it, image {image.id}: {error.message}"
        return ServiceError(
            f"the cloud could not make the image {image.name!r}: {why}; {remains}",
            location=self._cloud.location,
            operation=operation,
        )

    def delete(self, number: int) -> None:
        """Delete an image and return when it is gone (``one.image.delete``, then ``one.image.info``).

        :raises ConflictError: while VMs use it or it is being made.
        """
        operation = "one.image.delete"

        def leaving() -> bool | None:
            image = self._image_or_none(number)
            return image is None or image.state == "DELETE" or None

        try:
            self._rpc.call(operation, number, changes=True, repeatable=False)
        except StratusLabError as error:
            is_being_made = "locked" in error.message.lower() and not isinstance(error, ForbiddenError)
            if is_being_made and not outcome_unknown(error):
                raise ConflictError(error.message, location=error.location, operation=operation) from error
            if settled(error, leaving, self._cloud.timeout) is None:
                raise unsettled(error) from error

        def gone(image: OneImage | None) -> bool:
            return image is None or image.state != "DELETE"

        image = until_seen(lambda: self._image_or_none(number), gone, self._cloud.timeout)
        if image is None:
            return
        if image.state == "DELETE":
            logger.warning(
                "image %d is not deleted after %g s; the cloud goes on", number, self._cloud.timeout
            )
            return
        why = self._rpc.connection.quotable(image.error or f"it is {image.state}")
        raise ServiceError(
            f"the cloud accepted the order and could not delete image {number}: {why}; delete it once more",
            location=self._cloud.location,
            operation=operation,
        )

    def _image_or_none(self, number: int) -> OneImage | None:
        try:
            return self.image(number)
        except NotFoundError:
            return None


def checked_image_name(name: str) -> str:
    """Return the name of an image, as OpenNebula takes it.

    :raises InvalidArgumentError: for an invalid name.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidArgumentError(f"found {name!r}; give text", argument="name")
    checked_name(name, longest=_NAME_LENGTH, refused=_NAME_REFUSED)
    attribute("NAME", name, "name")
    return name
