"""One entry of a list that is odd, or cannot be read at all, hides no other."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse
from stratuslab.client.transport.xml_text import Cleaner, cleaned

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element


ODD = {
    "escape": (b"\x1b[31mred", "\ufffd[31mred"),
    "backspace and NUL": (b"a\x08b\x00", "a\ufffdb\ufffd"),
    "no UTF-8": (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
    "the end of CDATA": (b"a ]]> b", "a ]]> b"),
    "the end of CDATA and markup": (b"a ]]> <b> & c", "a ]]> <b> & c"),
    "no character": (b"\xef\xbf\xbe \xed\xa0\x80", "\ufffd \ufffd\ufffd\ufffd"),
    "an end tag": (b"</VM>", "</VM>"),
    "an end tag and an escape": (b"</VM>\x1b", "</VM>\ufffd"),
}


def vm(number: int, message: bytes) -> bytes:
    return b"<VM><ID>%d</ID><M><![CDATA[%s]]></M></VM>" % (number, message)


def pool(*entries: bytes) -> bytes:
    return b"<VM_POOL>" + b"".join(entries) + b"</VM_POOL>"


def read(document: bytes, *cuts: int) -> tuple[list[tuple[str | None, str | None]], list[str]]:
    """Return id and message of each VM of a document that comes in pieces, and what was left out."""
    found: list[tuple[str | None, str | None]] = []
    reader = EntryReader(
        "VM", lambda vm: found.append((vm.findtext("ID"), vm.findtext("M"))), roots=frozenset({"VM_POOL"})
    )
    cleaner = Cleaner()
    for start, end in zip([0, *cuts], [*cuts, len(document)], strict=True):
        reader.feed(cleaner.feed(document[start:end]))
    reader.feed(cleaner.close())
    reader.close()
    return found, reader.left_out


@pytest.mark.parametrize("padding", [0, 20_000])
@pytest.mark.parametrize(("odd", "shown"), ODD.values(), ids=ODD)
def test_an_odd_entry_is_read_and_hides_no_other(odd: bytes, shown: str, padding: int) -> None:
    fine = b"x" * padding
    document = pool(vm(1, fine), vm(2, odd), vm(3, fine))
    expected = [("1", fine.decode()), ("2", shown), ("3", fine.decode())]
    for step in (len(document), 997, 7 if not padding else 65_536):
        assert read(document, *range(step, len(document), step)) == (expected, [])


@pytest.mark.parametrize(
    "broken",
    [
        b"<VM><ID>2</ID><M>a < b</M></VM>",
        b"<VM><ID>2</ID><M></VM>",
        b"<VM><ID>2</ID><M>&nbsp;</M></VM>",
        b"<VM><ID>2</ID></M></VM>",
        b"<VM><ID>2</ID a=1></VM>",
    ],
)
@pytest.mark.parametrize("around", [(1, 1), (0, 1), (1, 0), (400, 400)])
def test_an_entry_that_cannot_be_read_is_left_out_and_named(broken: bytes, around: tuple[int, int]) -> None:
    before = [vm(100 + number, b"fine") for number in range(around[0])]
    after = [vm(1000 + number, b"fine") for number in range(around[1])]
    document = pool(*before, broken, *after)
    for step in (len(document), 1013):
        found, left_out = read(document, *range(step, len(document), step))
        assert len(found) == sum(around)
        assert [entry.partition(":")[0] for entry in left_out] == ["2"]


@pytest.mark.slow
@given(
    st.lists(st.binary(max_size=30).filter(lambda text: b"]]><" not in text), min_size=1, max_size=4),
    st.lists(st.integers(0, 400), max_size=4),
)
@example([b"]]>", b"<![CDATA["], [])
@example([b"&#27;"], [])
@settings(max_examples=500, deadline=None)
def test_any_bytes_in_the_text_of_a_vm_leave_all_vms_listed(texts: list[bytes], cuts: list[int]) -> None:
    entries = [vm(number, text) for number, text in enumerate(texts)]
    document = pool(*entries, vm(99, b"fine"))
    found, left_out = read(document, *sorted(cut for cut in cuts if cut < len(document)))
    assert found[-1] == ("99", "fine")
    assert len(found) + len(left_out) == len(texts) + 1


def test_an_entry_that_the_taker_refuses_is_left_out() -> None:
    taken: list[str | None] = []

    def take(element: Element) -> None:
        if element.findtext("ID") == "2":
            raise DocumentError("it is odd")
        taken.append(element.findtext("ID"))

    reader = EntryReader("VM", take, roots=frozenset({"VM_POOL"}))
    reader.feed(pool(vm(1, b""), vm(2, b""), vm(3, b"")))
    reader.close()
    assert (taken, reader.left_out, reader.taken) == (["1", "3"], ["2: it is odd"], 2)


@pytest.mark.parametrize("end", [b"", b"<VM><ID>4", b"</VM_POO", b"</OTHER>", b"<html>"])
def test_a_list_that_ends_in_the_middle_is_refused_after_an_odd_entry_too(end: bytes) -> None:
    document = b"<VM_POOL>" + vm(1, b"") + b"<VM><ID>2</ID><M></VM>" + vm(3, b"") + end
    with pytest.raises(DocumentError):
        read(document)


def test_an_odd_list_without_end_takes_no_memory(peak_mib: Callable[[Callable[[], object]], float]) -> None:
    def pour() -> None:
        reader = EntryReader("VM", lambda vm: None, roots=frozenset({"VM_POOL"}))
        reader.feed(b"<VM_POOL>" + b" " * 20_000 + b"<VM><ID>2</ID><M></VM>")
        for _ in range(2_000):
            reader.feed(b"<VM><ID>3</ID>" + b"x" * 65_536)

    def refused() -> None:
        with pytest.raises(DocumentError, match="longer entry"):
            pour()

    assert peak_mib(refused) < 60


def test_a_single_document_is_read_with_what_xml_cannot_hold() -> None:
    for odd, shown in ODD.values():
        assert parse(vm(1, odd)).findtext("M") == shown


@given(st.text(max_size=40), st.integers(0, 0x11FFFF))
def test_cleaning_makes_no_markup(text: str, number: int) -> None:
    for dirty in (text, f"{text}&#{number};", f"&#x{number:x};{text}"):
        shown = cleaned(dirty)
        assert shown.count("<") == dirty.count("<")
        assert shown.count("&") <= dirty.count("&")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=300)
def test_pieces_are_cleaned_as_the_whole(document: bytes, cuts: list[int]) -> None:
    whole, pieces = Cleaner(), Cleaner()
    document = b"<a>" + document
    expected = whole.feed(document) + whole.close()
    ends = sorted({cut for cut in cuts if 3 <= cut < len(document)})
    parts = [document[start:end] for start, end in zip([0, *ends], [*ends, len(document)], strict=True)]
    assert b"".join(pieces.feed(part) for part in parts) + pieces.close() == expected


def test_references_and_characters_are_cleaned_wherever_the_document_is_cut() -> None:
    document = "<a>\u00e9&#27;&amp;&#x1B;&#65;\x1b&#x0000001b;".encode() + b"\xe2\x82half</a>"
    expected = "<a>\u00e9\ufffd&amp;\ufffd&#65;\ufffd\ufffd\ufffdhalf</a>".encode()
    for cut in range(3, len(document)):
        cleaner = Cleaner()
        assert cleaner.feed(document[:cut]) + cleaner.feed(document[cut:]) + cleaner.close() == expected, cut


@pytest.mark.parametrize(("more", "taken"), [(b"", 1), (b"<A/>", 0)])
def test_an_entry_may_have_so_many_tags_and_not_one_more(more: bytes, taken: int) -> None:
    reader = EntryReader("VM", lambda _: None, roots=frozenset({"VM_POOL"}))
    reader.feed(b"<VM_POOL><VM><ID>1</ID>" + b"<A/>" * 24_994 + more)
    with nullcontext() if taken else pytest.raises(DocumentError, match="longer entry than any cloud"):
        reader.feed(b"</VM></VM_POOL>")
        reader.close()
    assert reader.taken == taken
