"""The RDF of a metadata entry: the signed RDF/XML document, and the same statements as RDF/JSON."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from stratuslab.sandbox.marketplace.image_entry import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratuslab.sandbox.marketplace.image_entry import ImageEntry

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'

BASE = "http://mp.stratuslab.eu/"
NAMESPACES = {
    "dcterms": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "slreq": "http://mp.stratuslab.eu/slreq#",
    "slterms": "http://mp.stratuslab.eu/slterms#",
    "ex": "http://example.org/",
}

_SIGNATURE_PARTS = {"digest": 20, "value": 256, "certificate": 870}

# Prefix of the namespace, name, and a text or the properties of an unnamed resource.
_Property = tuple[str, str, "str | Sequence[_Property]"]


@lru_cache(maxsize=4096)
def document(entry: ImageEntry) -> str:
    """Write the RDF/XML document of an entry, with its declaration, as its endorser uploaded it.

    The endorsement declares default namespaces, as the signing tools leave it. The signature has the form of
    a real one, but it signs nothing; that of an entry that really was uploaded stays as it is.
    """
    if entry.document:
        return DECLARATION + entry.document
    namespaces = " ".join(
        f'xmlns:{prefix}="{uri}"'
        for prefix, uri in NAMESPACES.items()
        if prefix != "ex" or entry.related_images
    )
    description = "".join(_element(prop, "        ") for prop in _properties(entry))
    return (
        f'{DECLARATION}<rdf:RDF {namespaces} xml:base="{BASE}">\n\n'
        f'    <rdf:Description rdf:about="#{entry.identifier}">\n\n{description}\n    </rdf:Description>\n'
        f"{_signature(description)}</rdf:RDF>"
    )


def statements(entry: ImageEntry) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Return the statements of an entry as RDF/JSON (subject, predicate, values), without its signature."""
    graph: dict[str, dict[str, list[dict[str, str]]]] = {}
    _state(graph, f"{BASE}#{entry.identifier}", list(_properties(entry)))
    return graph


def _properties(entry: ImageEntry) -> Iterator[_Property]:
    yield from _texts("dcterms", "identifier", entry.identifier)
    yield from _texts("dcterms", "alternative", *entry.alternatives)
    yield from _texts("slreq", "bytes", str(entry.size_bytes))
    sums = {"MD5": entry.md5, "SHA-1": entry.sha1, "SHA-256": entry.sha256, "SHA-512": entry.sha512}
    for algorithm, value in sums.items():
        if value is not None:
            yield "slreq", "checksum", [("slreq", "algorithm", algorithm), ("slreq", "value", value)]
    yield "slreq", "endorsement", _endorsement(entry)
    yield from _texts("dcterms", "type", entry.type)
    yield from _texts("slterms", "kind", entry.kind)
    yield from _texts("slterms", "os", entry.os)
    yield from _texts("slterms", "os-version", entry.os_version)
    yield from _texts("slterms", "os-arch", entry.os_arch)
    yield from _texts("slterms", "version", entry.version)
    yield from _texts("slterms", "serial-number", entry.serial_number)
    yield from _texts("dcterms", "compression", entry.compression)
    yield from _texts("slterms", "location", *entry.locations)
    yield from _texts("dcterms", "format", entry.format)
    yield from _texts("slterms", "disks-bus", entry.disks_bus)
    yield from _texts("dcterms", "creator", entry.creator)
    yield from _texts("dcterms", "created", timestamp(entry.created))
    yield from _texts("dcterms", "valid", None if entry.valid is None else timestamp(entry.valid))
    yield from _texts("dcterms", "title", entry.title)
    yield from _texts("dcterms", "description", entry.description)
    yield from _texts("slterms", "hypervisor", entry.hypervisor)
    yield from _texts("slterms", "inbound-port", *map(str, entry.inbound_ports))
    yield from _texts("slterms", "outbound-port", *map(str, entry.outbound_ports))
    yield from _texts("slterms", "icmp", *map(str, entry.icmp))
    yield from _texts("dcterms", "publisher", entry.publisher)
    yield from _texts("slterms", "deprecated", entry.deprecated)
    if entry.related_images:
        yield "ex", "relatedImages", list(_texts("dcterms", "identifier", *entry.related_images))


def _endorsement(entry: ImageEntry) -> list[_Property]:
    endorser: list[_Property] = [
        ("slreq", "email", entry.email),
        ("slreq", "subject", entry.subject),
        ("slreq", "issuer", entry.issuer),
    ]
    return [("dcterms", "created", timestamp(entry.endorsed)), ("slreq", "endorser", endorser)]


def _texts(prefix: str, name: str, *values: str | None) -> Iterator[_Property]:
    for value in values:
        if value is not None:
            yield prefix, name, value


def _element(prop: _Property, indent: str) -> str:
    prefix, name, value = prop
    tag = f"{prefix}:{name}"
    if isinstance(value, str):
        text = f"<{tag}>{escape(value, quote=False)}</{tag}>" if value else f"<{tag}/>"
        return f"{indent}{text}\n"
    if name == "endorsement":
        inner = "".join(_default_namespace_element(part, "") for part in value)
        return f'{indent}<{tag} rdf:parseType="Resource">{inner}</{tag}>\n'
    inner = "".join(_element(part, f"{indent}    ") for part in value)
    return f'{indent}<{tag} rdf:parseType="Resource">\n{inner}{indent}</{tag}>\n'


def _default_namespace_element(prop: _Property, present: str) -> str:
    prefix, name, value = prop
    namespace = "" if prefix == present else f' xmlns="{NAMESPACES[prefix]}"'
    if isinstance(value, str):
        return f"<{name}{namespace}>{escape(value, quote=False)}</{name}>"
    inner = "".join(_default_namespace_element(part, prefix) for part in value)
    return f'<{name}{namespace} rdf:parseType="Resource">{inner}</{name}>'


def _state(
    graph: dict[str, dict[str, list[dict[str, str]]]], subject: str, properties: Sequence[_Property]
) -> None:
    predicates = graph.setdefault(subject, {})
    for prefix, name, value in properties:
        values = predicates.setdefault(NAMESPACES[prefix] + name, [])
        if isinstance(value, str):
            values.append({"type": "literal", "value": value})
        else:
            node = f"_:A{len(graph)}"
            values.append({"type": "bnode", "value": node})
            _state(graph, node, value)


def _signature(signed: str) -> str:
    digest, value, certificate = (_blob(part, signed, size) for part, size in _SIGNATURE_PARTS.items())
    dsig = "http://www.w3.org/2000/09/xmldsig#"
    return (
        f'<Signature xmlns="{dsig}"><SignedInfo>'
        '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"/>'
        f'<SignatureMethod Algorithm="{dsig}rsa-sha1"/>'
        f'<Reference URI=""><Transforms><Transform Algorithm="{dsig}enveloped-signature"/></Transforms>'
        f'<DigestMethod Algorithm="{dsig}sha1"/><DigestValue>{digest}</DigestValue>'
        f"</Reference></SignedInfo><SignatureValue>{value}</SignatureValue>"
        f"<KeyInfo><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data>"
        "</KeyInfo></Signature>"
    )


def _blob(part: str, signed: str, size: int) -> str:
    octets = hashlib.shake_256(f"{part}:{signed}".encode()).digest(size)
    return base64.encodebytes(octets).decode("ascii").rstrip("\n")
