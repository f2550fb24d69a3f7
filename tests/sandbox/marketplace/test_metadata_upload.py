"""Metadata entries that users sign and upload."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from stratuslab.sandbox.marketplace.catalogue import Catalogue
    from tests.sandbox.conftest import Http


XML = {"Accept": "application/xml"}
SHA1 = "1104f3e30c030f8b93f220b04131032dddf51f21"
IDENTIFIER = "BEE8-MMAw-Lk_IgsEExAy3d9R8h"
SIGNATURE = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
BEFORE, AFTER = "2014-03-08T14:10:40Z", "2014-03-08T14:10:41Z"
ENTRY = """<?xml version="1.0" encoding="UTF-8" standalone="no"?><rdf:RDF
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:slreq="http://mp.stratuslab.eu/slreq#" xmlns:slterms="http://mp.stratuslab.eu/slterms#"
 xml:base="http://mp.stratuslab.eu/">
 <rdf:Description rdf:about="#{identifier}">
  <dcterms:identifier>{identifier}</dcterms:identifier>
  <slreq:bytes>128</slreq:bytes>
  <slreq:checksum rdf:parseType="Resource"><slreq:algorithm>SHA-1</slreq:algorithm>
   <slreq:value>{sha1}</slreq:value></slreq:checksum>
  <slreq:endorsement rdf:parseType="Resource"><created xmlns="http://purl.org/dc/terms/">{endorsed}</created>
   <endorser xmlns="http://mp.stratuslab.eu/slreq#" rdf:parseType="Resource"><email>{email}</email>
   <subject>CN=Jane Tester,C=EU</subject><issuer>CN=CA,C=EU</issuer></endorser></slreq:endorsement>
  <dcterms:type>base</dcterms:type><slterms:kind>machine</slterms:kind>
  <dcterms:title>Été &amp; cie</dcterms:title><dcterms:alternative>mine</dcterms:alternative>
  <slterms:os>ttylinux</slterms:os><slterms:inbound-port>22</slterms:inbound-port>
  <slterms:location>http://images.example.org/a.img</slterms:location>
  <dcterms:valid>2030-03-05T14:12:57Z</dcterms:valid>{more}
 </rdf:Description>{signature}</rdf:RDF>"""


def entry(
    endorsed: str = BEFORE,
    identifier: str = IDENTIFIER,
    sha1: str = SHA1,
    email: str = "jane@example.org",
    more: str = "",
    signature: str = SIGNATURE,
) -> str:
    return ENTRY.format(
        endorsed=endorsed, identifier=identifier, sha1=sha1, email=email, more=more, signature=signature
    )


def upload(market: Http, document: str, media_type: str = "application/xml") -> requests.Response:
    headers = {**XML, "Content-Type": media_type}
    return market.request("POST", "/metadata", headers=headers, data=document.encode())


def listed(market: Http, query: str = "") -> Element:
    return ET.fromstring(market.get(f"/metadata/{IDENTIFIER}{query}", headers=XML).content)


@pytest.mark.parametrize("media_type", ["application/xml", "application/rdf+xml"])
def test_an_entry_is_kept_as_it_was_signed(market: Http, media_type: str) -> None:
    answer = upload(market, entry(), media_type)
    assert (answer.status_code, answer.text) == (201, "metadata entry created")
    assert answer.headers["Location"] == f"{market.url}/metadata/{IDENTIFIER}/jane@example.org/{BEFORE}"

    signed = re.sub(r"<\?xml.*?\?>", "", entry())
    assert requests.get(answer.headers["Location"], headers=XML, timeout=10).text.endswith(f"?>{signed}")
    assert f"<metadata>{signed}</metadata>" in market.get(f"/metadata/{IDENTIFIER}", headers=XML).text


def test_what_an_entry_says_is_found(market: Http) -> None:
    upload(market, entry())
    row = market.get(f"/metadata/{IDENTIFIER}").json()["aaData"][0]
    assert row[1:] == [
        "ttylinux",
        "null",
        "null",
        "jane@example.org",
        "machine",
        BEFORE,
        IDENTIFIER,
        "http://images.example.org/a.img",
        "",
        "Été & cie",
    ]
    assert market.get("/metadata/jane@example.org?tag=mine", headers=XML).text.count("<rdf:Description") == 1


def test_a_form_has_a_file(market: Http) -> None:
    headers = {"Accept": "application/xml"}
    for path, endorsed in (("/metadata", BEFORE), ("/upload", AFTER)):
        files = {"metadata": ("entry.xml", entry(endorsed))}
        answer = requests.post(market.url + path, headers=headers, files=files, timeout=10)
        assert answer.status_code == 201


def test_a_deprecation_hides_the_image(market: Http) -> None:
    upload(market, entry())
    assert len(listed(market)) == 1
    deprecation = entry(AFTER, more="<slterms:deprecated>has a hole</slterms:deprecated>")
    as_the_client_of_14_06_writes_it = deprecation.replace("endorsement rdf:parse", "endorsement parse")
    assert upload(market, as_the_client_of_14_06_writes_it).status_code == 201
    assert listed(market).text == "no metadata matching query found"
    assert len(listed(market, "?status=deprecated")) == 1


def test_only_the_latest_may_follow(market: Http) -> None:
    assert upload(market, entry(AFTER)).status_code == 201
    for endorsed in (BEFORE, AFTER):
        answer = upload(market, entry(endorsed))
        assert answer.status_code == 400
        assert ET.fromstring(answer.content).text == "invalid metadata: older than latest entry"
    assert upload(market, entry(BEFORE, email="bob@example.org")).status_code == 201


def test_an_old_entry_may_be_expired(market: Http, catalogue: Catalogue) -> None:
    upload(market, entry())
    catalogue.expire(IDENTIFIER)
    assert len(listed(market, "?status=expired")) == 1
    valid = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(catalogue.now() - 1))
    assert listed(market, "?status=expired")[0][0].findtext("{http://purl.org/dc/terms/}valid") == valid


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("<a>", "unable to parse document"),
        ("<metadata/>", "the root element must be rdf:RDF"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + entry(), "document type declarations are not allowed"),
        (entry().replace("xml:base", "base"), "the root element must be rdf:RDF"),
        (entry(signature=""), "no signature"),
        (entry(signature=SIGNATURE * 2), "multiple signatures"),
        (entry(signature=SIGNATURE + "<rdf:Description/>"), "there must be exactly one rdf:Description"),
        (
            entry(sha1=SHA1[:-1] + "2"),
            f"checksum from identifier ({IDENTIFIER}) and SHA-1 checksum ({SHA1[:-1]}2) are not consistent",
        ),
        (entry(sha1="XYZ"), "invalid checksum: SHA-1 XYZ"),
        (entry().replace('about="#BEE8', 'about="#BEE9'), "rdf:about and identifier are not consistent"),
        (entry(email="jane_at_example.org"), "invalid email address: jane_at_example.org"),
        (entry("2014-03-08T99:10:40Z"), "invalid date: 2014-03-08T99:10:40Z"),
        (entry(more="<slterms:os>b</slterms:os>"), "multiple os"),
        (entry(more="<slterms:icmp>65536</slterms:icmp>"), "invalid icmp: 65536"),
        (entry(more="<slterms:serial-number>X</slterms:serial-number>"), "invalid number: X"),
        (entry(more="<slterms:a><slterms:b>c</slterms:b></slterms:a>"), "a is no valid property"),
        (entry(more='<slterms:a rdf:parseType="BAD">c</slterms:a>'), "a is no valid property"),
        (entry(more='<slterms:a b="c">d</slterms:a>'), "a is no valid property"),
        (entry().replace("<slreq:bytes>128</slreq:bytes>", ""), "no bytes"),
        (entry().replace("CN=CA,C=EU", ""), "empty issuer"),
    ],
)
def test_invalid_metadata(market: Http, document: str, reason: str) -> None:
    answer = upload(market, document)
    assert answer.status_code == 400
    assert ET.fromstring(answer.content).text.startswith(f"invalid metadata: {reason}")
    assert market.get(f"/metadata/{IDENTIFIER}?status=all", headers=XML).status_code == 404


def test_the_encoding_is_the_declared_one(market: Http) -> None:
    document = entry().replace("UTF-8", "ISO-8859-1").encode("iso-8859-1")
    headers = {**XML, "Content-Type": "application/xml"}
    assert market.request("POST", "/metadata", headers=headers, data=document).status_code == 201
    assert listed(market)[0][0].findtext("{http://purl.org/dc/terms/}title") == "Été & cie"
