"""PDisk's JSON, from a server that need not mean well."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client.pdisk.json_document import decode
from stratuslab.client.transport.connection import MAX_WHOLE_ANSWER_BYTES
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@pytest.mark.slow
@given(values)
def test_json_is_read(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(body: bytes) -> None:
    with suppress(DocumentError):
        decode(body)


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        (b'{"tag": "\x1b[31mred"}', "\x1b[31mred"),
        (b'{"tag": "caf\xe9"}', "caf\ufffd"),
        (rb'{"tag": "\ud800"}', "\ufffd"),
        (rb'{"tag": "\ud83d\ude00"}', "\N{GRINNING FACE}"),
    ],
)
def test_what_no_text_can_hold_is_replaced(body: bytes, tag: str) -> None:
    assert decode(body) == {"tag": tag}


UNITS = {
    "objects": b"{},",
    "lists": b"[],",
    "numbers": b"1.5,",
    "texts": b'"a",',
    "keys": b'{"a":1},',
    "depth": b"[",
    "one text": b"x",
    "one wide text": b"\xf0\x9f\x98\x80",
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_no_answer_takes_more_than_four_times_the_memory_of_the_longest(
    unit: bytes, peak_mib: Callable[[Callable[[], object]], float]
) -> None:
    """128 kB of gzip, 128 MiB of ``{},``, took 3.4 GB."""
    count = MAX_WHOLE_ANSWER_BYTES // len(unit)
    opening, closing = (b'["', b'"]') if len(unit) == 1 or unit[0] > 127 else (b"[", b"1]")
    if unit == b"[":
        opening, closing = b"", b""
    body = opening + unit * (count - 2) + closing

    def read() -> None:
        with suppress(DocumentError):
            decode(body)

    assert peak_mib(read) < 4 * (MAX_WHOLE_ANSWER_BYTES >> 20)


def test_a_document_may_have_so_many_values_and_not_one_more() -> None:
    assert len(decode(b"[" + b"1," * 349_999 + b"1]")) == 350_000
    with pytest.raises(DocumentError, match="more than 350000 values"):
        decode(b"[" + b"1," * 350_000 + b"1]")


MIB = 1 << 20
WORST = {
    "a character beyond the BMP": ('"' + "a" * (10 * MIB - 10) + '\U0001f600"').encode(),
    "such a character, escaped": b'"' + b"a" * (10 * MIB - 20) + b'\\ud83d\\ude00"',
    "another wide character, escaped": b'"' + b"a" * (10 * MIB - 10) + b'\\u20ac"',
    "no UTF-8": b'["' + b"\xff" * (10 * MIB - 10) + b'"]',
    "an owner to be mended": b'[{"owner":"' + b'"' * (4 * MIB - 40) + b'"x"}]',
    "a longer owner to be mended": b'[{"owner":"' + b'"' * (10 * MIB - 40) + b'"x"}]',
    "keys": b"[" + b",".join(b'{"a%d":0.5}' % number for number in range(174_000)) + b"]",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", WORST.values(), ids=WORST)
def test_the_worst_document_that_may_come_takes_no_more_either(
    body: bytes, peak_mib: Callable[[Callable[[], object]], float]
) -> None:
    def read() -> None:
        with suppress(DocumentError):
            decode(body)

    assert peak_mib(read) + len(body) / MIB < 4 * (MAX_WHOLE_ANSWER_BYTES / MIB)


def test_a_long_list_with_a_letter_of_another_language_is_read() -> None:
    disk = '{"uuid": "x", "tag": "café €", "owner": "%s"}' % ("o" * 1000)
    assert len(decode(("[" + ",".join([disk] * 9_000) + "]").encode())) == 9_000
