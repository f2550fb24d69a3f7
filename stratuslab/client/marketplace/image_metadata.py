"""What the Marketplace says of one image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["RDF_TAG", "ImageMetadata", "is_image_id"]

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DCTERMS = "{http://purl.org/dc/terms/}"
_SLREQ = "{http://mp.stratuslab.eu/slreq#}"
_SLTERMS = "{http://mp.stratuslab.eu/slterms#}"

RDF_TAG = f"{_RDF}RDF"
"""The element that holds one entry."""

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


_IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{27}")


def is_image_id(text: str) -> bool:
    """Return whether a text has the form of a Marketplace identifier."""
    return _IMAGE_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """One entry: an image as one endorser describes it.

    Texts are stripped of white space around them and None where there is none. ``size_bytes`` and
    the ``checksums`` (algorithm to hexadecimal sum) are those of the uncompressed image.
    ``kind`` is ``machine`` or ``disk``; ``deprecated`` is the reason.
    """

    identifier: str
    endorser: str | None
    endorser_subject: str | None
    endorsed: datetime | None
    title: str | None
    description: str | None
    tags: tuple[str, ...]
    type: str | None
    kind: str | None
    format: str | None
    compression: str | None
    disks_bus: str | None
    hypervisor: str | None
    os: str | None
    os_version: str | None
    os_arch: str | None
    version: str | None
    serial_number: str | None
    creator: str | None
    publisher: str | None
    created: datetime | None
    valid: datetime | None
    deprecated: str | None
    size_bytes: int | None
    checksums: dict[str, str]
    locations: tuple[str, ...]
    inbound_ports: tuple[str, ...]
    outbound_ports: tuple[str, ...]

    @property
    def name(self) -> str:
        """A line for people: title, else description, else system and version, else the identifier."""
        system = " ".join(part for part in (self.os, self.os_version) if part)
        return " ".join((self.title or self.description or system or self.identifier).split())

    @property
    def is_disk(self) -> bool:
        """Whether this is a data disk, from which no VM boots."""
        return (self.kind or self.type) == "disk"

    @property
    def age_key(self) -> datetime:
        """The endorsement's date, for sorting; an entry without one is the oldest."""
        return self.endorsed or _LONG_AGO

    def expired(self, now: datetime) -> bool:
        """Whether the endorsement had run out at ``now``."""
        return self.valid is not None and self.valid <= now

    @classmethod
    def from_element(cls, rdf: Element) -> ImageMetadata:
        """Read an ``rdf:RDF`` element.

        :raises DocumentError: if it has no identifier.
        """
        entry = rdf.find(f"{_RDF}Description")
        texts: dict[str, list[str]] = {}
        for child in () if entry is None else entry:
            text = (child.text or "").strip()
            if text:
                texts.setdefault(child.tag, []).append(text)
        one = {tag: found[0] for tag, found in texts.items()}.get

        def several(tag: str) -> tuple[str, ...]:
            return tuple(texts.get(tag, ()))

        identifier = one(f"{_DCTERMS}identifier")
        if entry is None or not identifier or not is_image_id(identifier):
            raise DocumentError("an entry has no identifier of 27 letters, digits, - or _")
        endorsement = entry.find(f"{_SLREQ}endorsement")
        endorser = None if endorsement is None else endorsement.find(f"{_SLREQ}endorser")
        deprecated = entry.find(f"{_SLTERMS}deprecated")
        return cls(
            identifier=identifier,
            endorser=_below(endorser, f"{_SLREQ}email"),
            endorser_subject=_below(endorser, f"{_SLREQ}subject"),
            endorsed=_moment(_below(endorsement, f"{_DCTERMS}created")),
            title=one(f"{_DCTERMS}title"),
            description=one(f"{_DCTERMS}description"),
            tags=several(f"{_DCTERMS}alternative"),
            type=one(f"{_DCTERMS}type"),
            kind=one(f"{_SLTERMS}kind"),
            format=one(f"{_DCTERMS}format"),
            compression=one(f"{_DCTERMS}compression"),
            disks_bus=one(f"{_SLTERMS}disks-bus"),
            hypervisor=one(f"{_SLTERMS}hypervisor"),
            os=one(f"{_SLTERMS}os"),
            os_version=one(f"{_SLTERMS}os-version"),
            os_arch=one(f"{_SLTERMS}os-arch"),
            version=one(f"{_SLTERMS}version"),
            serial_number=one(f"{_SLTERMS}serial-number"),
            creator=one(f"{_DCTERMS}creator"),
            publisher=one(f"{_DCTERMS}publisher"),
            created=_moment(one(f"{_DCTERMS}created")),
            valid=_moment(one(f"{_DCTERMS}valid")),
            deprecated=None if deprecated is None else (deprecated.text or "").strip() or "no reason given",
            size_bytes=_size(one(f"{_SLREQ}bytes")),
            checksums={
                _below(checksum, f"{_SLREQ}algorithm") or "": _below(checksum, f"{_SLREQ}value") or ""
                for checksum in entry.findall(f"{_SLREQ}checksum")
            },
            locations=several(f"{_SLTERMS}location"),
            inbound_ports=several(f"{_SLTERMS}inbound-port"),
            outbound_ports=several(f"{_SLTERMS}outbound-port"),
        )


def _below(parent: Element | None, tag: str) -> str | None:
    return None if parent is None else (parent.findtext(tag) or "").strip() or None


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=timezone.utc)


def _size(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
