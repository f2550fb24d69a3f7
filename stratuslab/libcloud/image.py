"""Marketplace entries as Libcloud's images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import NodeImage
from stratuslab.client.marketplace.image_metadata import ImageMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from libcloud.compute.base import NodeDriver

__all__ = ["IMAGE_KINDS", "images_of", "mentions"]

IMAGE_KINDS = ("machine", "disk", "all")

_FIELDS = tuple(field.name for field in dataclasses.fields(ImageMetadata))


def images_of(
    entries: Iterable[ImageMetadata], driver: NodeDriver, url_of: Callable[[str], str]
) -> list[NodeImage]:
    """Return one image an identifier, in the order in which the identifiers appear.

    ``extra`` holds every field of :class:`~stratuslab.client.ImageMetadata`, of the
    newest entry where several endorsers have one; ``endorsers``, newest first; and ``url``, from
    which a VM's root disk is made.
    """
    by_identifier: dict[str, list[ImageMetadata]] = {}
    for entry in entries:
        by_identifier.setdefault(entry.identifier, []).append(entry)
    images = []
    for identifier, found in by_identifier.items():
        found.sort(key=lambda entry: entry.age_key, reverse=True)
        extra: dict[str, Any] = {field: getattr(found[0], field) for field in _FIELDS}
        extra["endorsers"] = [entry.endorser for entry in found]
        extra["url"] = url_of(identifier)
        images.append(NodeImage(identifier, found[0].name, driver, extra=extra))
    return images


def mentions(entry: ImageMetadata, text: str) -> bool:
    """Return whether one of the texts by which people look for an image holds ``text``, in any case."""
    wanted = text.casefold()
    texts = (entry.identifier, entry.title, entry.description, entry.os, entry.endorser, *entry.tags)
    return any(wanted in found.casefold() for found in texts if found)
