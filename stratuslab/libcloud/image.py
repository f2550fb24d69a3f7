"""Marketplace entries as Libcloud's images."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import NodeImage
from stratuslab.client.marketplace.image_metadata import ImageMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from libcloud.compute.base import NodeDriver

__all__ = ["IMAGE_KINDS", "StratusLabImage", "images_of", "mentions"]

IMAGE_KINDS = ("machine", "disk", "all")

_FIELDS = tuple(field.name for field in dataclasses.fields(ImageMetadata))


class StratusLabImage(NodeImage):
    """A Marketplace image: its times are the attributes ``endorsed``, ``created`` and ``valid``, in UTC.

    ``extra`` is plain data, which ``json.dumps`` takes; its times are ISO 8601 text.
    """

    def __init__(
        self, entry: ImageMetadata, endorsers: list[str | None], url: str, driver: NodeDriver
    ) -> None:
        extra = {field: _plain(getattr(entry, field)) for field in _FIELDS}
        super().__init__(
            entry.identifier, entry.name, driver, extra={**extra, "endorsers": endorsers, "url": url}
        )
        self.endorsed = entry.endorsed
        self.created = entry.created
        self.valid = entry.valid


def images_of(
    entries: Iterable[ImageMetadata], driver: NodeDriver, url_of: Callable[[str], str]
) -> list[StratusLabImage]:
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
        endorsers = [entry.endorser for entry in found]
        images.append(StratusLabImage(found[0], endorsers, url_of(identifier), driver))
    return images


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def mentions(entry: ImageMetadata, text: str) -> bool:
    """Return whether one of the texts by which people look for an image holds ``text``, in any case."""
    wanted = text.casefold()
    texts = (entry.identifier, entry.title, entry.description, entry.os, entry.endorser, *entry.tags)
    return any(wanted in found.casefold() for found in texts if found)
