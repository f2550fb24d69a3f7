from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox.marketplace import rdf
from stratuslab.sandbox.marketplace.default_images import default_images
from stratuslab.sandbox.marketplace.image_entry import ImageEntry, identifier_of

NOW = 1_400_000_000.0
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DCTERMS = "{http://purl.org/dc/terms/}"
SLREQ = "{http://mp.stratuslab.eu/slreq#}"
SLTERMS = "{http://mp.stratuslab.eu/slterms#}"
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"

# What XML 1.0 can carry and hands on unchanged (a carriage return would become a line feed).
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.just("\n")
)

ENTRY = ImageEntry(
    sha1="0" * 40,
    size_bytes=5,
    endorsed=NOW,
    created=NOW - 60,
    valid=NOW + 60,
    email="a@example.org",
    subject="CN=A,O=E",
    issuer="CN=CA",
)


def described(entry: ImageEntry) -> ET.Element:
    root = ET.fromstring(rdf.document(entry))
    assert root.tag == f"{RDF}RDF"
    description = root.find(f"{RDF}Description")
    assert description is not None
    return description


def texts(description: ET.Element, name: str) -> list[str]:
    return [element.text or "" for element in description.findall(name)]


def test_a_document_begins_as_the_server_keeps_it() -> None:
    assert rdf.document(ENTRY).startswith(
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?><rdf:RDF xmlns:dcterms='
    )


def test_the_endorsement_declares_default_namespaces() -> None:
    assert (
        '<slreq:endorsement rdf:parseType="Resource">'
        '<created xmlns="http://purl.org/dc/terms/">2014-05-13T16:53:20Z</created>'
        '<endorser xmlns="http://mp.stratuslab.eu/slreq#" rdf:parseType="Resource">'
        "<email>a@example.org</email><subject>CN=A,O=E</subject><issuer>CN=CA</issuer></endorser>"
        "</slreq:endorsement>"
    ) in rdf.document(ENTRY)


def test_missing_and_empty_elements_differ() -> None:
    missing, empty = described(ENTRY), described(replace(ENTRY, title="", compression=""))
    for name in ("title", "compression"):
        assert missing.find(DCTERMS + name) is None
        assert texts(empty, DCTERMS + name) == [""]
    assert "<dcterms:title/>" in rdf.document(replace(ENTRY, title=""))


@given(title=TEXT, description=TEXT, email=TEXT, locations=st.lists(TEXT, max_size=3))
def test_any_text_survives(title: str, description: str, email: str, locations: list[str]) -> None:
    entry = replace(ENTRY, title=title, description=description, email=email, locations=tuple(locations))
    element = described(entry)
    assert texts(element, f"{DCTERMS}title") == [title]
    assert texts(element, f"{DCTERMS}description") == [description]
    assert texts(element, f"{SLREQ}endorsement/{SLREQ}endorser/{SLREQ}email") == [email]
    assert texts(element, f"{SLTERMS}location") == locations


@pytest.mark.parametrize("entry", [*default_images(NOW)], ids=lambda entry: entry.identifier)
def test_default_images_say_what_clients_rely_on(entry: ImageEntry) -> None:
    element = described(entry)
    assert element.get(f"{RDF}about") == f"#{entry.identifier}"
    for name in ("identifier", "type", "valid", "description", "compression", "created"):
        assert len(element.findall(DCTERMS + name)) == 1
    for name in ("os", "os-version", "os-arch", "version"):
        assert len(element.findall(SLTERMS + name)) == 1
    assert texts(element, f"{SLREQ}bytes") == [str(entry.size_bytes)]
    assert element.findall(f"{SLTERMS}location")
    sums = {
        checksum.findtext(f"{SLREQ}algorithm"): checksum.findtext(f"{SLREQ}value")
        for checksum in element.findall(f"{SLREQ}checksum")
    }
    assert list(sums) == ["MD5", "SHA-1", "SHA-256", "SHA-512"]
    assert identifier_of(sums["SHA-1"] or "") == entry.identifier


def test_a_signature_follows() -> None:
    root = ET.fromstring(rdf.document(ENTRY))
    assert [child.tag for child in root] == [f"{RDF}Description", f"{DSIG}Signature"]
    for name in ("SignatureValue", "X509Certificate", "DigestValue"):
        assert root.findtext(f"{DSIG}Signature//{DSIG}{name}")


def test_related_images_hold_identifiers_of_others() -> None:
    element = described(replace(ENTRY, related_images=("X" * 27, "Y" * 27)))
    assert texts(element, f"{DCTERMS}identifier") == ["A" * 27]
    assert texts(element, "{http://example.org/}relatedImages/" + f"{DCTERMS}identifier") == [
        "X" * 27,
        "Y" * 27,
    ]


def test_statements_link_unnamed_resources() -> None:
    graph = rdf.statements(replace(ENTRY, md5="1", alternatives=("a", "b")))
    image = graph["http://mp.stratuslab.eu/#" + "A" * 27]
    assert image["http://purl.org/dc/terms/alternative"] == [
        {"type": "literal", "value": "a"},
        {"type": "literal", "value": "b"},
    ]
    (endorsement,) = image["http://mp.stratuslab.eu/slreq#endorsement"]
    (endorser,) = graph[endorsement["value"]]["http://mp.stratuslab.eu/slreq#endorser"]
    assert endorser["type"] == "bnode"
    assert graph[endorser["value"]]["http://mp.stratuslab.eu/slreq#email"] == [
        {"type": "literal", "value": "a@example.org"}
    ]
    nodes = [node["value"] for node in image["http://mp.stratuslab.eu/slreq#checksum"]]
    assert len(set(nodes)) == 2
