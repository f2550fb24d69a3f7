"""The ids of images and VM templates at an OpenNebula cloud, as callers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratuslab.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["IMAGE", "TEMPLATE", "TEMPLATE_PREFIX", "is_number", "number_of_image", "template_of_size"]

IMAGE, TEMPLATE = "image", "template"
TEMPLATE_PREFIX = "template:"
"""What the id of a VM template begins with, as an image and as a size; a bare number is an image's."""
_MAX_DIGITS = 10


def number_of_image(
    image_id: object, argument: str, cloud: Cloud, extra: Mapping[str, Any] | None = None
) -> tuple[str, int]:
    """Return whether an id is a VM template's or an image's, and its number."""
    stated = (extra or {}).get("location")
    if isinstance(stated, str) and stated != cloud.location:
        raise InvalidArgumentError(
            f"found an image of {stated!r}; give one of list_images({cloud.location!r})", argument=argument
        )
    text = str(image_id).removeprefix(TEMPLATE_PREFIX)
    if not isinstance(image_id, str) or not is_number(text):
        raise InvalidArgumentError(
            f"found the id {image_id!r}; {cloud.location!r} is an OpenNebula cloud: there the id of an image "
            f"is a number, and that of a VM template {TEMPLATE_PREFIX}NUMBER; images of StratusLab's "
            f"Marketplace start at StratusLab's clouds only; see list_images({cloud.location!r})",
            argument=argument,
        )
    return (IMAGE if text == image_id else TEMPLATE), int(text)


def is_number(text: str) -> bool:
    """Return whether a text is the number of an object in a pool."""
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


def template_of_size(size_id: str) -> int | None:
    """Return the number of the VM template that a size is, None for an instance type."""
    number = size_id.removeprefix(TEMPLATE_PREFIX)
    return int(number) if number != size_id and is_number(number) else None
