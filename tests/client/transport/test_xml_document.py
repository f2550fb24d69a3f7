from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from collections.abc import Callable


MIB = 1024 * 1024
BOMB = b"""\
<!DOCTYPE lolz [<!ENTITY a "s3cret"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""

REFUSED = {
    "empty": (b"", "it is empty"),
    "blank": (b" \n", "it holds no element"),
    "text": (b"s3cret", "it holds no element"),
    "json": (b'{"message": "s3cret"}', "it is not XML at line 1"),
    "declaration-alone": (b'<?xml version="1.0"?>', "it holds no element"),
    "comment-alone": (b"<!-- s3cret -->", "it holds no element"),
    "entity-bomb": (BOMB, "it declares a document type"),
    "external-entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "s3cret.txt">]><a>&x;</a>',
        "it declares a document type",
    ),
    "parameter-entity": (
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "s3cret.txt"> %x;]><a/>',
        "it declares a document type",
    ),
    "external-subset": (b'<!DOCTYPE a SYSTEM "s3cret.dtd"><a/>', "it declares a document type"),
    "html": (b"<!DOCTYPE html>\n<html><body>s3cret</body></html>", "it declares a document type"),
    "late-document-type": (
        b"<!--" + b" " * 20_000 + b'--><!DOCTYPE a SYSTEM "s3cret"><a/>',
        "it holds no element",
    ),
    "second-document-type": (b'<a/><!DOCTYPE a SYSTEM "s3cret">', "it is not well-formed XML at line 1"),
    "unclosed-html": (b"<html><body>s3cret<br></body></html>", "it is not well-formed XML at line 1"),
    "undeclared-entity": (b"<a>\n&s3cret;</a>", "it is not well-formed XML at line 2"),
    "truncated-in-text": (b"<a><b>s3cret", "it is not well-formed XML at line 1"),
    "truncated-before-the-end": (b"<a><b>s3cret</b>", "it is not well-formed XML at line 1"),
    "truncated-in-the-first-tag": (b"<s3cret", "it holds no element"),
    "two-roots": (b"<a/><s3cret/>", "it is not well-formed XML at line 1"),
    "unknown-encoding": (b'<?xml version="1.0" encoding="s3cret"?><a/>', "it is in an encoding"),
    "odd-encoding": (b'<?xml version="1.0" encoding="shift_jis"?><a>s3cret</a>', "it is in an encoding"),
    "no-text-encoding": (b'<?xml version="1.0" encoding="hex"?><a>s3cret</a>', "it is in an encoding"),
}


def read(
    document: bytes, *cuts: int, roots: frozenset[str] = frozenset({"list", "item"})
) -> list[str | None]:
    """Return the texts of the items of a document that comes in pieces."""
    found: list[str | None] = []
    reader = EntryReader("item", lambda item: found.append(item.findtext("name")), roots=roots)
    for start, end in zip([0, *cuts], [*cuts, len(document)], strict=True):
        reader.feed(document[start:end])
    reader.close()
    return found


def listing(names: list[str], padding: int = 0) -> bytes:
    items = "".join(f"<item><name>{name}</name><pad>{'x' * padding}</pad></item>" for name in names)
    return f'<?xml version="1.0"?>\n<list>{items}</list>'.encode()


def every_refused(case: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(case, REFUSED.values(), ids=list(REFUSED))


@every_refused("case")
def test_what_is_no_plain_xml_is_refused_without_repeating_it(case: tuple[bytes, str]) -> None:
    document, message = case
    with pytest.raises(DocumentError) as caught:
        parse(document)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@every_refused("case")
@pytest.mark.parametrize("pieces", ["at-once", "byte-by-byte"])
def test_what_is_no_plain_xml_is_refused_in_pieces_too(case: tuple[bytes, str], pieces: str) -> None:
    document, message = case
    with pytest.raises(DocumentError) as caught:
        read(
            document,
            *(range(1, len(document)) if pieces == "byte-by-byte" else ()),
            roots=frozenset({"a", "html"}),
        )
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        "<a>é</a>",
        "<a>é</a>".encode(),
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- x --><a>é</a>'.encode(),
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1"),
        '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16"),
        "\ufeff<a>é</a>".encode(),
        "<a><![CDATA[é]]></a>",
        "<a>&#233;</a>",
    ],
    ids=["str", "bytes", "declaration", "latin-1", "utf-16", "byte-order-mark", "CDATA", "reference"],
)
def test_every_usual_encoding_is_read(document: bytes | str) -> None:
    root = parse(document)
    assert (root.tag, root.text) == ("a", "é")


def test_a_long_prolog_is_read_if_the_root_begins_in_its_first_16_kib() -> None:
    assert parse(b"<!--" + b" " * 16_000 + b"--><a/>").tag == "a"


@given(st.binary() | st.text() | st.text("<>/a!?&;[]\"'-").map(lambda text: f"<a>{text}</a>"))
def test_no_document_whatever_raises_anything_else(document: str | bytes) -> None:
    try:
        root = parse(document)
    except DocumentError:
        return
    assert isinstance(root.tag, str)


@pytest.mark.parametrize("tag", [b"<a>", b"<a/>", b"<a></a>", b"<!---->"], ids=repr)
def test_a_hundred_megabytes_of_tags_are_refused_before_they_take_memory(
    tag: bytes, peak_mib: Callable[[Callable[[], object]], float]
) -> None:
    document = b"<a>" + tag * (100 * MIB // len(tag))

    def refused() -> None:
        with pytest.raises(DocumentError, match="it has more than 500000 tags"):
            parse(document)

    assert peak_mib(refused) < 1


def test_a_tag_with_half_a_million_attributes_is_refused() -> None:
    with pytest.raises(DocumentError, match="tags or attributes"):
        parse(b"<VM><a " + b'b="" ' * 500_001 + b"/></VM>")


@pytest.mark.parametrize("tag", [b"<a>", b"<a/>", b"<item>"], ids=repr)
def test_a_hundred_megabytes_of_tags_are_refused_as_they_come(
    tag: bytes, peak_mib: Callable[[Callable[[], object]], float]
) -> None:
    document = b"<list>" + tag * (100 * MIB // len(tag))

    def refused() -> None:
        with pytest.raises(DocumentError, match="holds a longer entry"):
            read(document, *range(65536, len(document), 65536))

    assert peak_mib(refused) < 16


def test_a_deep_document_is_read_and_freed() -> None:
    depth = 200_000
    root = parse(b"<a>" * depth + b"</a>" * depth)
    assert len(root) == 1
    del root


@pytest.mark.parametrize("cuts", ["at-once", "byte-by-byte", "in-sevens"])
@pytest.mark.parametrize("padding", [0, 300], ids=["short", "long"])
def test_entries_are_handed_out_in_order_whatever_the_pieces(cuts: str, padding: int) -> None:
    names = [f"n{number}" for number in range(80)]
    document = listing(names, padding)
    step = {"at-once": len(document), "byte-by-byte": 1, "in-sevens": 7}[cuts]
    assert read(document, *range(step, len(document), step)) == names


# Longer than the 16 KiB that are held back for the search of a document type.
LONG = listing([f"é{number}" for number in range(100)], padding=400)


@given(st.lists(st.integers(0, len(LONG)), max_size=40).map(sorted))
def test_any_pieces_give_what_the_whole_gives(cuts: list[int]) -> None:
    assert read(LONG, *cuts) == read(LONG) == [f"é{number}" for number in range(100)]


def test_an_entry_may_be_the_document_itself() -> None:
    assert read(b"<item><name>alone</name></item>") == ["alone"]


def test_an_entry_that_is_the_document_is_whole_however_long_it_is() -> None:
    document = b"<item><name>alone</name>" + 5000 * b"<pad>xxxx</pad>" + b"</item>"
    assert read(document, *range(1000, len(document), 1000)) == ["alone"]


def test_an_entry_within_an_entry_is_a_part_of_it() -> None:
    assert read(b"<list><item><item><name>b</name></item><name>a</name></item></list>") == ["a"]


def test_what_stands_between_entries_is_left_out() -> None:
    document = b"<list>text<other><item/></other><item><name>a</name></item>text<item/><other/></list>"
    assert read(document) == ["a", None]
    assert read(document, *range(1, len(document))) == ["a", None]


def test_a_document_without_entries_has_none() -> None:
    assert read(b"<list/>") == []


def test_another_document_is_refused() -> None:
    with pytest.raises(DocumentError, match="it is a <html>"):
        read(b"<html><item><name>x</name></item></html>")


def test_a_document_may_have_any_number_of_entries_but_no_endless_one() -> None:
    def items(count: int, tags: int) -> bytes:
        return b"<list>" + count * (b"<item>" + b"<a/>" * tags + b"</item>") + b"</list>"

    assert len(read(items(20, 5000))) == 20
    endless = items(1, 60_000)
    with pytest.raises(DocumentError, match="holds a longer entry"):
        read(endless, *range(65_536, len(endless), 65_536))


def test_a_hundred_megabytes_of_entries_take_no_memory(
    peak_mib: Callable[[Callable[[], object]], float],
) -> None:
    chunk = b"<item><name>n</name><pad>" + b"x" * 10_000 + b"</pad></item>"
    taken: list[None] = []

    def go_through() -> None:
        reader = EntryReader("item", lambda item: taken.append(None), roots=frozenset({"list"}))
        reader.feed(b"<list>")
        for _ in range(10_000):
            reader.feed(chunk)
        reader.feed(b"</list>")
        reader.close()

    assert peak_mib(go_through) < 2
    assert len(taken) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("size_mib", [2, 16])
@pytest.mark.parametrize(
    "text", ["\x01", "\x01\U0001f600", "x\U0001f600", "]]>", "&#1;", b"\xff\x01"], ids=repr
)
def test_a_text_of_odd_characters_takes_no_memory(
    text: bytes | str, size_mib: int, peak_mib: Callable[[Callable[[], object]], float]
) -> None:
    """A document of 16 MB that had to be mended took 800 MB."""
    unit = text if isinstance(text, bytes) else text.encode()
    document = b"<a>" + unit * ((size_mib * 2**20 - 10) // len(unit)) + b"</a>"

    def read() -> None:
        with suppress(DocumentError):
            parse(document)

    assert peak_mib(read) + len(document) / 2**20 < 64
