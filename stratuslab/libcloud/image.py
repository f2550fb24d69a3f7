"""The operations of the driver on images."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import Node, NodeDriver, NodeImage
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.marketplace.marketplace import STATUSES
from stratuslab.libcloud.arguments import named_as_written, one_of, vm_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from libcloud.compute.base import NodeLocation
    from stratuslab.client.kinds.offers import Image, Images
    from stratuslab.client.marketplace.image_metadata import ImageMetadata
    from stratuslab.client.marketplace.marketplace import ImageStatus
    from stratuslab.libcloud.locations import GivenLocation, Locations

__all__ = ["IMAGE_KINDS", "ImageOperations", "StratusLabImage"]

IMAGE_KINDS = ("machine", "disk", "template", "all")


class StratusLabImage(NodeImage):
    """An image. Its times are attributes: ``endorsed``, ``created`` and ``valid``, in UTC, or None.

    ``extra`` is plain data, which ``json.dumps`` takes; its times are ISO 8601 text.
    """

    def __init__(self, image: Image, driver: NodeDriver) -> None:
        super().__init__(image.id, image.name, driver, extra=_plain(image.extra))
        self.endorsed: datetime | None = image.extra.get("endorsed")
        self.created: datetime | None = image.extra.get("created")
        self.valid: datetime | None = image.extra.get("valid")


class ImageOperations(NodeDriver):
    """The part of the driver that lists, makes and deletes images."""

    _locations: Locations

    def list_images(  # type: ignore[override]  # a list of what it holds
        self,
        location: GivenLocation | None = None,
        *,
        ex_status: ImageStatus = "valid",
        ex_kind: str = "machine",
        ex_search: str | None = None,
    ) -> list[StratusLabImage]:
        """Return the images of a location.

        At a StratusLab cloud they are those of the Marketplace, one for each identifier (``GET /metadata``).
        ``name`` is the title, else the description, else the operating system, else the identifier;
        ``extra`` holds every field of the Marketplace, see :class:`~stratuslab.client.ImageMetadata`, of
        the newest entry; ``endorsers``; and ``url``. At an OpenNebula cloud they are the images that the
        user may use (``one.imagepool.info``), and the VM templates (``one.templatepool.info``), whose ids
        begin with ``template:``; ``extra`` holds ``location``, ``kind``, ``type``, ``state``,
        ``description``, ``owner``, ``group``, ``size_mib``, ``persistent``, ``format``, ``datastore``,
        ``created``, ``error`` and ``attributes``.

        :param location: the default location if None.
        :param ex_status: ``valid`` (what can be started) or ``all``; at a StratusLab cloud also ``expired``
            or ``deprecated``.
        :param ex_kind: ``machine``, ``disk`` (which no node boots from), ``template`` or ``all``.
        :param ex_search: text to be found, in any case, in the words by which people look for an image:
            identifier, title, description, operating system, tags, endorser or owner.
        """
        one_of("ex_kind", ex_kind, IMAGE_KINDS)
        one_of("ex_status", ex_status, STATUSES)
        if not isinstance(ex_search, str | None):
            raise InvalidArgumentError(f"found {ex_search!r}; give text", argument="ex_search")
        images = self._locations.site(self._locations.meant(location)).images
        return [self._as_image(image) for image in images.list_images(ex_kind, ex_status, ex_search)]

    def get_image(self, image_id: str) -> StratusLabImage:
        """Return an image of the default location.

        Calls ``GET /metadata/ID`` at a StratusLab cloud, ``one.image.info`` or ``one.template.info`` at an
        OpenNebula cloud.

        :raises NotFoundError: if there is no such image. At a StratusLab cloud it says whether the image is
            expired, deprecated or unknown.
        """
        with named_as_written({"identifier": "image_id"}):
            return self._as_image(self._locations.site(self._locations.default).images.image(image_id))

    def create_image(  # type: ignore[override]  # Libcloud's hint is wrong
        self, node: Node, name: str, description: str | None = None
    ) -> StratusLabImage:
        """Make an image of a node's root disk, at an OpenNebula cloud, and return it when it is ready.

        Calls ``one.imagepool.info``, ``one.vm.disksaveas``, which is never sent twice, and ``one.image.info``
        until the image is ready. One that is not ready within the time-out is returned with its state in
        ``extra``; one that fails is deleted, and the error says why.

        :raises NotOfferedError: at a StratusLab cloud; see :meth:`ex_save_node` of the driver.
        """
        images = self._changeable("create_image", node)
        self._locations.of_node(node)
        return self._as_image(images.create(vm_id(node.id), name, description))

    def delete_image(self, node_image: NodeImage) -> bool:
        """Delete an image at an OpenNebula cloud, and return True when it is gone (``one.image.delete``).

        :raises ConflictError: while nodes use it.
        :raises NotOfferedError: at a StratusLab cloud.
        """
        images = self._changeable("delete_image", node_image)
        self._locations.of_image(node_image)
        images.delete(node_image.id)
        return True

    def copy_image(
        self, source_region: str, node_image: NodeImage, name: str, description: str | None = None
    ) -> StratusLabImage:
        """Copy an image at its own OpenNebula cloud, and return the copy when it is ready.

        Calls ``one.image.clone``.



        :param source_region: the location of the image, by its id or name; may be empty if the image says it.
        :raises NotOfferedError: at a StratusLab cloud: every location starts any image of the Marketplace.
        """
        try:
            region = self._locations.meant(source_region, "source_region") if source_region else None
        except InvalidArgumentError:
            # If the cloud copies no images, say that first: another region would not help.
            self._changeable("copy_image", node_image)
            raise
        images = self._changeable("copy_image", node_image, region)
        location = self._locations.of_image(node_image, region)
        if region is not None and region.id != location.id:
            raise InvalidArgumentError(
                f"found {region.id!r}, and the image is at {location.id!r}; give that location or nothing",
                argument="source_region",
            )
        return self._as_image(images.copy(node_image.id, name, description))

    def ex_get_image_metadata(
        self, image: NodeImage | str, location: GivenLocation | None = None
    ) -> ImageMetadata:
        """Return what the Marketplace says of an image or identifier (``GET /metadata/ID``).

        :raises NotOfferedError: at an OpenNebula cloud; nothing is sent.
        """
        images = self._locations.site(self._locations.meant(location)).images
        with named_as_written({"identifier": "image"}):
            return images.metadata(image.id if isinstance(image, NodeImage) else image)

    def _changeable(
        self, operation: str, item: Node | NodeImage | None, otherwise: NodeLocation | None = None
    ) -> Images:
        """Return the images of where something is; a cloud that changes none says so whatever was given."""
        stated = None
        if isinstance(item, (Node, NodeImage)):
            stated = self._locations.stated(item, "node" if isinstance(item, Node) else "node_image")
        images = self._locations.site(stated or otherwise or self._locations.default).images
        images.check_changes(operation)
        return images

    def _as_image(self, image: Image) -> StratusLabImage:
        return StratusLabImage(image, self)


def _plain(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``json.dumps`` takes: times as ISO 8601 text, lists for tuples."""
    result = dict(extra)
    for key, value in extra.items():
        if isinstance(value, datetime):
            result[key] = value.isoformat()
        elif isinstance(value, tuple):
            result[key] = list(value)
    return result
