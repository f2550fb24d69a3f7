"""The Marketplace, the register of images."""

from __future__ import annotations

from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from stratuslab.client.errors import InvalidArgumentError, NotFoundError
from stratuslab.client.marketplace.image_metadata import RDF_TAG, ImageMetadata, is_image_id
from stratuslab.client.transport.connection import Request, ServiceConnection
from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.transport.connection import HttpAnswer

__all__ = ["STATUSES", "ImageStatus", "Marketplace"]

ImageStatus = Literal["valid", "expired", "deprecated", "all"]
STATUSES: tuple[ImageStatus, ...] = ("valid", "expired", "deprecated", "all")

_ROOTS = frozenset({"metadata", RDF_TAG})
_NOTHING_FOUND = "no metadata matching query found"


class Marketplace:
    """Reads the images of one cloud's Marketplace.

    Every method may raise any :class:`~stratuslab.client.errors.StratusLabError`. Documents are read as they
    come: a long one takes time and not memory.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._connection = ServiceConnection(cloud, "marketplace", cloud.marketplace, None)

    def close(self) -> None:
        """Close the connections. Another request makes new ones."""
        self._connection.close()

    def list_images(self, status: ImageStatus = "valid") -> list[ImageMetadata]:
        """Return the newest entry of every endorser for every image (``GET /metadata``).

        ``valid`` is what a cloud starts: neither expired nor deprecated. The order is the server's.
        """
        if status not in STATUSES:
            raise InvalidArgumentError(
                f"found {status!r}; use one of {', '.join(STATUSES)}", argument="status"
            )
        return self._entries("GET /metadata", "/metadata", status)

    def image(self, identifier: str) -> ImageMetadata:
        """Return the newest valid entry of an image (``GET /metadata/ID``).

        If there is none, the Marketplace is asked once more, for the reason.

        :raises NotFoundError: which says whether the image is expired, deprecated or unknown.
        """
        operation = "GET /metadata/ID"
        if not isinstance(identifier, str) or not is_image_id(identifier):
            raise InvalidArgumentError(
                f"found the id {identifier!r}; a Marketplace identifier has 27 letters, digits, - or _",
                argument="identifier",
            )
        path = f"/metadata/{identifier}"
        entries = self._entries(operation, path, "valid", identifier)
        if not entries:
            raise self._not_offered(operation, identifier, self._entries(operation, path, "all", identifier))
        return max(entries, key=lambda entry: entry.age_key)

    def url_of(self, identifier: str) -> str:
        """Return the URL of an image, which is what a VM's root disk is made from."""
        return f"{self._connection.endpoint.url}/metadata/{quote(identifier, safe='')}"

    def _not_offered(self, operation: str, identifier: str, entries: list[ImageMetadata]) -> NotFoundError:
        newest = max(entries, key=lambda entry: entry.age_key, default=None)
        problem = f"the image {identifier} is unknown to the Marketplace at {self._connection.endpoint.url}"
        if newest is not None and newest.deprecated:
            problem = f"the image {identifier} is deprecated: {newest.deprecated}"
        elif newest is not None and newest.expired(datetime.now(timezone.utc)):
            problem = f"the image {identifier} expired on {newest.valid:%Y-%m-%d}"
        return NotFoundError(problem, location=self._connection.cloud.location, operation=operation)

    def _entries(
        self, operation: str, path: str, status: ImageStatus, identifier: str | None = None
    ) -> list[ImageMetadata]:
        entries: list[ImageMetadata] = []
        readers: list[EntryReader] = []

        def take(element: Element) -> None:
            entries.append(ImageMetadata.from_element(element))

        def new_reader() -> Callable[[bytes], None]:
            entries.clear()
            readers.append(EntryReader(RDF_TAG, take, roots=_ROOTS))
            return readers[-1].feed

        try:
            answer = self._connection.exchange(
                Request(
                    operation,
                    "GET",
                    path,
                    params={} if status == "valid" else {"status": status},
                    headers={"Accept": "application/xml"},
                    reader=new_reader,
                )
            )
            if answer.status == HTTPStatus.OK:
                readers[-1].close()
        except DocumentError as error:
            raise self._connection.malformed(operation, str(error)) from None
        if answer.status == HTTPStatus.NOT_FOUND and _error_text(answer) == _NOTHING_FOUND:
            return []
        if answer.status != HTTPStatus.OK:
            raise self._connection.refused(operation, answer, _error_text(answer))
        self._connection.pass_over(operation, readers[-1].left_out, read=readers[-1].taken)
        other = next((entry for entry in entries if identifier not in (None, entry.identifier)), None)
        if other is not None:
            raise self._connection.malformed(
                operation, f"it is about {other.identifier}, not about {identifier}"
            )
        return entries


def _error_text(answer: HttpAnswer) -> str | None:
    try:
        root = parse(answer.body)
    except DocumentError:
        return None
    return (root.text or "").strip() if root.tag == "error" else None
