from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client import ImageMetadata
from stratuslab.client.marketplace.image_metadata import RDF_TAG
from stratuslab.client.transport.xml_document import DocumentError, parse

ID = "BEE8-MMAw-Lk_IgsEExAy3d9R8h"
ENTRY = """\
<rdf:RDF xmlns:dcterms="http://purl.org/dc/terms/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:slreq="http://mp.stratuslab.eu/slreq#" xmlns:slterms="http://mp.stratuslab.eu/slterms#"
  xmlns:ex="http://example.org/" xml:base="http://mp.stratuslab.eu/">
 <rdf:Description rdf:about="#{id}">{content}</rdf:Description>
 <Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignatureValue>AAAA</SignatureValue></Signature>
</rdf:RDF>"""
IDENTIFIER = f"<dcterms:identifier>{ID}</dcterms:identifier>"
SIGNED_ENDORSEMENT = """\
<slreq:endorsement rdf:parseType="Resource"><created xmlns="http://purl.org/dc/terms/">2014-03-08T14:10:40Z</created>
<endorser xmlns="http://mp.stratuslab.eu/slreq#" rdf:parseType="Resource"><email>jane@example.org</email>
<subject>CN=Jane,C=EU</subject><issuer>CN=CA,C=EU</issuer></endorser></slreq:endorsement>"""
PREFIXED_ENDORSEMENT = """\
<slreq:endorsement rdf:parseType="Resource"><dcterms:created>2014-03-08T14:10:40Z</dcterms:created>
<slreq:endorser rdf:parseType="Resource"><slreq:email> jane@example.org </slreq:email>
<slreq:subject>CN=Jane,C=EU</slreq:subject></slreq:endorser></slreq:endorsement>"""


def entry_of(content: str = "", identifier: str = IDENTIFIER) -> ImageMetadata:
    return ImageMetadata.from_element(parse(ENTRY.format(id=ID, content=identifier + content)))


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)


def test_the_element_of_an_entry() -> None:
    assert parse(ENTRY.format(id=ID, content=IDENTIFIER)).tag == RDF_TAG


def test_everything_that_an_entry_says() -> None:
    entry = entry_of(
        SIGNED_ENDORSEMENT
        + """
        <slreq:bytes>1073741824</slreq:bytes>
        <slreq:checksum rdf:parseType="Resource"><slreq:algorithm> SHA-1 </slreq:algorithm>
          <slreq:value> 1104f3 </slreq:value></slreq:checksum>
        <slreq:checksum rdf:parseType="Resource"><slreq:algorithm>MD5</slreq:algorithm>
          <slreq:value>abcdef</slreq:value></slreq:checksum>
        <dcterms:type>base</dcterms:type><slterms:kind>machine</slterms:kind>
        <slterms:os>ttylinux</slterms:os><slterms:os-version>9.3</slterms:os-version>
        <slterms:os-arch>i686</slterms:os-arch><slterms:version>1.0</slterms:version>
        <slterms:serial-number>3</slterms:serial-number>
        <dcterms:compression>gz</dcterms:compression><dcterms:format>raw</dcterms:format>
        <dcterms:creator>Jane</dcterms:creator><dcterms:publisher>StratusLab</dcterms:publisher>
        <dcterms:created>2011-09-09T14:12:57Z</dcterms:created><dcterms:valid>2016-03-05T14:12:57Z</dcterms:valid>
        <dcterms:title>A small system</dcterms:title>
        <dcterms:alternative>tiny</dcterms:alternative><dcterms:alternative>latest</dcterms:alternative>
        <dcterms:description>

        For tests &amp; trials </dcterms:description>
        <slterms:hypervisor>kvm</slterms:hypervisor><slterms:disks-bus>virtio</slterms:disks-bus>
        <slterms:location>https://a.example.org/i.gz</slterms:location>
        <slterms:location>pdisk:b.example.org:8445:1</slterms:location><slterms:location/>
        <slterms:inbound-port>22</slterms:inbound-port><slterms:inbound-port> 443 </slterms:inbound-port>
        <slterms:outbound-port>0</slterms:outbound-port>
        """
    )
    assert entry == ImageMetadata(
        identifier=ID,
        endorser="jane@example.org",
        endorser_subject="CN=Jane,C=EU",
        endorsed=utc(2014, 3, 8, 14, 10, 40),
        title="A small system",
        description="For tests & trials",
        tags=("tiny", "latest"),
        type="base",
        kind="machine",
        format="raw",
        compression="gz",
        disks_bus="virtio",
        hypervisor="kvm",
        os="ttylinux",
        os_version="9.3",
        os_arch="i686",
        version="1.0",
        serial_number="3",
        creator="Jane",
        publisher="StratusLab",
        created=utc(2011, 9, 9, 14, 12, 57),
        valid=utc(2016, 3, 5, 14, 12, 57),
        deprecated=None,
        size_bytes=1073741824,
        checksums={"SHA-1": "1104f3", "MD5": "abcdef"},
        locations=("https://a.example.org/i.gz", "pdisk:b.example.org:8445:1"),
        inbound_ports=("22", "443"),
        outbound_ports=("0",),
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<dcterms:title/><dcterms:description> \n </dcterms:description><dcterms:compression/>"
        "<slterms:location/><dcterms:alternative/><slreq:endorsement/><dcterms:valid/><slreq:bytes/>",
    ],
    ids=["missing", "empty"],
)
def test_all_but_the_identifier_may_be_missing(content: str) -> None:
    assert entry_of(content) == ImageMetadata(
        identifier=ID,
        endorser=None,
        endorser_subject=None,
        endorsed=None,
        title=None,
        description=None,
        tags=(),
        type=None,
        kind=None,
        format=None,
        compression=None,
        disks_bus=None,
        hypervisor=None,
        os=None,
        os_version=None,
        os_arch=None,
        version=None,
        serial_number=None,
        creator=None,
        publisher=None,
        created=None,
        valid=None,
        deprecated=None,
        size_bytes=None,
        checksums={},
        locations=(),
        inbound_ports=(),
        outbound_ports=(),
    )


@pytest.mark.parametrize(
    "document",
    [
        "<a/>",
        ENTRY.format(id=ID, content=""),
        ENTRY.format(id=ID, content="<dcterms:identifier/>"),
        ENTRY.format(id=ID, content=f"<identifier>{ID}</identifier>"),
        ENTRY.format(id=ID, content=f"<ex:related>{IDENTIFIER}</ex:related>"),
        f"<metadata>{ENTRY.format(id=ID, content=IDENTIFIER)}</metadata>",
    ],
    ids=["foreign", "none", "empty", "no-namespace", "nested", "wrapped"],
)
def test_an_entry_without_identifier_of_its_own_is_refused(document: str) -> None:
    with pytest.raises(DocumentError, match="an entry has no identifier"):
        ImageMetadata.from_element(parse(document))


@pytest.mark.parametrize(
    "endorsement", [SIGNED_ENDORSEMENT, PREFIXED_ENDORSEMENT], ids=["signed", "prefixed"]
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_the_endorsement_is_found_by_namespace_and_not_taken_for_the_image(
    endorsement: str, first: bool
) -> None:
    created = "<dcterms:created>2011-09-09T14:12:57Z</dcterms:created>"
    entry = entry_of(endorsement + created if first else created + endorsement)
    assert entry.endorser == "jane@example.org"
    assert entry.endorser_subject == "CN=Jane,C=EU"
    assert entry.endorsed == utc(2014, 3, 8, 14, 10, 40)
    assert entry.created == utc(2011, 9, 9, 14, 12, 57)


def test_an_endorsement_alone_gives_the_image_no_date() -> None:
    assert entry_of(SIGNED_ENDORSEMENT).created is None


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_what_foreign_elements_hold_is_not_the_image_s(first: bool) -> None:
    foreign = (
        "<ex:relatedImages><dcterms:identifier>other</dcterms:identifier><dcterms:title>Other</dcterms:title>"
        "<slterms:location>http://other.example.org</slterms:location></ex:relatedImages><ex:title>Other</ex:title>"
    )
    own = f"{IDENTIFIER}<dcterms:title>Own</dcterms:title>"
    entry = entry_of(*(("", foreign + own) if first else (foreign, own)))
    assert (entry.identifier, entry.title, entry.locations) == (ID, "Own", ())


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("<dcterms:title>A\n  title</dcterms:title><dcterms:description>x</dcterms:description>", "A title"),
        ("<dcterms:title/><dcterms:description>\nFor\ttests</dcterms:description>", "For tests"),
        ("<slterms:os>CentOS</slterms:os><slterms:os-version>6.5</slterms:os-version>", "CentOS 6.5"),
        ("<slterms:os>CentOS</slterms:os>", "CentOS"),
        ("", ID),
    ],
    ids=["title", "description", "system-and-version", "system", "identifier"],
)
def test_the_name_is_the_best_line_that_there_is(content: str, name: str) -> None:
    assert entry_of(content).name == name


@pytest.mark.parametrize(
    ("content", "is_disk"),
    [
        ("<slterms:kind>disk</slterms:kind>", True),
        ("<slterms:kind>machine</slterms:kind><dcterms:type>disk</dcterms:type>", False),
        ("<dcterms:type>disk</dcterms:type>", True),
        ("<dcterms:type>base</dcterms:type>", False),
        ("", False),
    ],
)
def test_a_data_disk_is_told_by_its_kind_or_else_by_its_type(content: str, is_disk: bool) -> None:
    assert entry_of(content).is_disk is is_disk


@pytest.mark.parametrize(
    ("content", "deprecated"),
    [
        ("<slterms:deprecated>security hole</slterms:deprecated>", "security hole"),
        ("<slterms:deprecated> \n</slterms:deprecated>", "no reason given"),
        ("<slterms:deprecated/>", "no reason given"),
        ("", None),
    ],
    ids=["reason", "blank", "empty", "missing"],
)
def test_an_image_is_deprecated_with_or_without_a_reason(content: str, deprecated: str | None) -> None:
    assert entry_of(content).deprecated == deprecated


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2014-03-08T14:10:40Z", utc(2014, 3, 8, 14, 10, 40)),
        ("2014-03-08T15:10:40+01:00", utc(2014, 3, 8, 14, 10, 40)),
        ("2014-03-08T14:10:40", utc(2014, 3, 8, 14, 10, 40)),
        (" 2014-03-08 ", utc(2014, 3, 8)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("next year", None),
        ("2014-13-08T14:10:40Z", None),
        ("99999-01-01T00:00:00Z", None),
    ],
)
def test_dates_are_aware_of_their_zone_and_wrong_ones_are_none(text: str, moment: datetime | None) -> None:
    entry = entry_of(f"<dcterms:valid>{text}</dcterms:valid><dcterms:created>{text}</dcterms:created>")
    assert entry.valid == entry.created == moment
    assert entry.valid is None or entry.valid.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        (" 128\n", 128),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("-1", None),
        ("1.5", None),
        ("1_0", None),
        ("٣", None),
        ("big", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert entry_of(f"<slreq:bytes>{text}</slreq:bytes>").size_bytes == size


def test_an_image_expires_at_the_moment_that_it_says() -> None:
    moment = utc(2016, 3, 5, 14, 12, 57)
    entry = entry_of("<dcterms:valid>2016-03-05T14:12:57Z</dcterms:valid>")
    assert not entry.expired(moment - timedelta(seconds=1))
    assert entry.expired(moment)
    assert not entry_of().expired(utc(9999, 12, 31))


def test_entries_are_sorted_by_their_endorsement_those_without_first() -> None:
    newest = entry_of(SIGNED_ENDORSEMENT)
    older = entry_of(SIGNED_ENDORSEMENT.replace("2014-", "2013-"))
    undated = entry_of(SIGNED_ENDORSEMENT.replace("2014-", "some-"))
    assert undated.endorsed is None
    assert sorted([newest, undated, older], key=lambda entry: entry.age_key) == [undated, older, newest]


TAGS = [
    "dcterms:title",
    "dcterms:valid",
    "slreq:bytes",
    "slreq:checksum",
    "slreq:endorsement",
    "slterms:location",
]
ELEMENTS = st.recursive(
    st.sampled_from(["x", "2014-03-08T14:10:40Z", "9" * 40, "0001-01-01T00:00:00+23:59", " ", "٣"]),
    lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, max_size=4).map("".join)).map(
        lambda item: f"<{item[0]}>{item[1]}</{item[0]}>"
    ),
)


@pytest.mark.slow
@given(st.lists(ELEMENTS, max_size=10).map("".join))
def test_whatever_else_an_entry_holds_it_is_read(content: str) -> None:
    entry = entry_of(content)
    assert entry.identifier == ID
    assert entry.name
    assert entry.age_key <= utc(9999, 12, 31)
    assert entry.expired(utc(2020, 1, 1)) in (True, False)
