"""What the Marketplace makes of a metadata document that somebody uploads, and which ones it refuses."""

from __future__ import annotations

import calendar
import re
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from stratuslab.sandbox.marketplace.image_entry import ImageEntry, identifier_of
from stratuslab.sandbox.marketplace.rdf import BASE, NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element

_RDF, _DCTERMS, _SLREQ, _SLTERMS = (
    f"{{{NAMESPACES[prefix]}}}" for prefix in ("rdf", "dcterms", "slreq", "slterms")
)
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_RESOURCES = ({f"{_RDF}parseType": "Resource"}, {"parseType": "Resource"})
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"

_ENCODING = re.compile(rb"""\A<\?xml[^>]*?\sencoding=["']([A-Za-z0-9._-]+)["']""")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>\s*")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LAST_PORT = 65535


class InvalidMetadataError(Exception):
    """A document that is not a metadata entry; the text says why."""


def entry_of(body: bytes) -> ImageEntry:
    """Read an uploaded document; raises InvalidMetadataError.

    There has to be a signature, but it is not verified: this sandbox knows no certificates.
    """
    text = _decoded(body)
    root = _parsed(text)
    if root.tag != f"{_RDF}RDF" or root.get(_XML_BASE) != BASE:
        raise InvalidMetadataError(f"the root element must be rdf:RDF with the xml:base {BASE}")
    signatures = [element for element in root if element.tag == _SIGNATURE]
    descriptions = [element for element in root if element.tag != _SIGNATURE]
    if len(signatures) != 1:
        raise InvalidMetadataError("multiple signatures" if signatures else "no signature")
    if len(descriptions) != 1 or descriptions[0].tag != f"{_RDF}Description":
        raise InvalidMetadataError("there must be exactly one rdf:Description")
    return _entry(descriptions[0], _DECLARATION.sub("", text))


def _decoded(body: bytes) -> str:
    declared = _ENCODING.match(body)
    try:
        return body.decode(declared[1].decode() if declared else "utf-8")
    except (LookupError, UnicodeDecodeError) as error:
        raise InvalidMetadataError(f"unable to decode document: {error}") from error


def _parsed(text: str) -> Element:
    if "<!DOCTYPE" in text:
        raise InvalidMetadataError("document type declarations are not allowed")
    try:
        return ElementTree.fromstring(_DECLARATION.sub("", text))  # noqa: S314 - it has no entities
    except ElementTree.ParseError as error:
        raise InvalidMetadataError(f"unable to parse document: {error}") from error


def _entry(description: Element, document: str) -> ImageEntry:
    _check_resources(description)
    identifier = _required(description, f"{_DCTERMS}identifier")
    if description.get(f"{_RDF}about") != f"#{identifier}":
        raise InvalidMetadataError("rdf:about and identifier are not consistent")
    sums = _checksums(description)
    if identifier != identifier_of(sums["SHA-1"]):
        raise InvalidMetadataError(
            f"checksum from identifier ({identifier}) and SHA-1 checksum ({sums['SHA-1']}) are not consistent"
        )
    endorsement = _only(description, f"{_SLREQ}endorsement")
    endorser = _only(endorsement, f"{_SLREQ}endorser")
    email = _required(endorser, f"{_SLREQ}email")
    if not _EMAIL.fullmatch(email):
        raise InvalidMetadataError(f"invalid email address: {email}")
    endorsed = _date(_required(endorsement, f"{_DCTERMS}created"))
    created, valid = (_optional(description, f"{_DCTERMS}{name}") for name in ("created", "valid"))
    return ImageEntry(
        sha1=sums["SHA-1"],
        md5=sums.get("MD5"),
        sha256=sums.get("SHA-256"),
        sha512=sums.get("SHA-512"),
        size_bytes=_number(_required(description, f"{_SLREQ}bytes")),
        endorsed=endorsed,
        created=endorsed if created is None else _date(created),
        valid=None if valid is None else _date(valid),
        email=email,
        subject=_required(endorser, f"{_SLREQ}subject"),
        issuer=_required(endorser, f"{_SLREQ}issuer"),
        description=_optional(description, f"{_DCTERMS}description") or "",
        title=_optional(description, f"{_DCTERMS}title"),
        alternatives=tuple(filter(None, _texts(description, f"{_DCTERMS}alternative"))),
        type=_required(description, f"{_DCTERMS}type"),
        kind=_optional(description, f"{_SLTERMS}kind"),
        os=_optional(description, f"{_SLTERMS}os"),
        os_version=_optional(description, f"{_SLTERMS}os-version"),
        os_arch=_optional(description, f"{_SLTERMS}os-arch"),
        version=_optional(description, f"{_SLTERMS}version"),
        serial_number=_serial_number(description),
        compression=_optional(description, f"{_DCTERMS}compression"),
        format=_optional(description, f"{_DCTERMS}format") or "raw",
        disks_bus=_optional(description, f"{_SLTERMS}disks-bus"),
        hypervisor=_optional(description, f"{_SLTERMS}hypervisor"),
        creator=_optional(description, f"{_DCTERMS}creator"),
        publisher=_optional(description, f"{_DCTERMS}publisher"),
        locations=tuple(_texts(description, f"{_SLTERMS}location")),
        inbound_ports=_ports(description, f"{_SLTERMS}inbound-port"),
        outbound_ports=_ports(description, f"{_SLTERMS}outbound-port"),
        icmp=_ports(description, f"{_SLTERMS}icmp"),
        deprecated=_optional(description, f"{_SLTERMS}deprecated"),
        document=document,
    )


def _check_resources(description: Element) -> None:
    """Refuse attributes that metadata does not have, and resources that are not marked as resources."""
    for element in description.iterfind(".//*"):
        if element.attrib not in _RESOURCES and (len(element) or element.attrib):
            raise InvalidMetadataError(f"{_name(element.tag)} is no valid property")


def _checksums(description: Element) -> dict[str, str]:
    sums: dict[str, str] = {}
    for checksum in description.iterfind(f"{_SLREQ}checksum"):
        algorithm = _required(checksum, f"{_SLREQ}algorithm")
        value = _required(checksum, f"{_SLREQ}value")
        if not re.fullmatch("[0-9a-fA-F]+", value):
            raise InvalidMetadataError(f"invalid checksum: {algorithm} {value}")
        if algorithm in sums:
            raise InvalidMetadataError(f"multiple checksums: {algorithm}")
        sums[algorithm] = value
    if "SHA-1" not in sums:
        raise InvalidMetadataError("no SHA-1 checksum")
    return sums


def _serial_number(description: Element) -> str | None:
    text = _optional(description, f"{_SLTERMS}serial-number")
    if text is not None:
        _number(text)
    return text


def _ports(description: Element, tag: str) -> tuple[int, ...]:
    ports = tuple(map(_number, _texts(description, tag)))
    if any(port > _LAST_PORT for port in ports):
        raise InvalidMetadataError(f"invalid {_name(tag)}: {max(ports)}")
    return ports


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise InvalidMetadataError(f"invalid number: {text}")
    return int(text)


def _date(text: str) -> float:
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError as error:
        raise InvalidMetadataError(f"invalid date: {text}") from error


def _only(parent: Element, tag: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise InvalidMetadataError(f"{'multiple' if found else 'no'} {_name(tag)}")
    return found[0]


def _required(parent: Element, tag: str) -> str:
    text = (_only(parent, tag).text or "").strip()
    if not text:
        raise InvalidMetadataError(f"empty {_name(tag)}")
    return text


def _optional(description: Element, tag: str) -> str | None:
    return None if description.find(tag) is None else _only(description, tag).text or ""


def _texts(description: Element, tag: str) -> Iterable[str]:
    return (element.text or "" for element in description.iterfind(tag))


def _name(tag: str) -> str:
    return tag.partition("}")[2] or tag
