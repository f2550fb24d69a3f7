from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox.marketplace.image_entry import identifier_of, timestamp

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("sha1", "identifier"),
    [
        ("1104f3e30c030f8b93f220b04131032dddf51f21", "BEE8-MMAw-Lk_IgsEExAy3d9R8h"),
        ("0" * 40, "A" * 27),
        ("f" * 40, "P" + "_" * 26),
        ("0" * 39 + "1", "A" * 26 + "B"),
    ],
)
def test_known_identifiers(sha1: str, identifier: str) -> None:
    assert identifier_of(sha1) == identifier


@given(st.binary(min_size=20, max_size=20))
def test_an_identifier_is_the_checksum_in_base_64(octets: bytes) -> None:
    identifier = identifier_of(octets.hex())
    assert re.fullmatch("[A-P][A-Za-z0-9_-]{26}", identifier)
    number = 0
    for digit in identifier:
        number = number * 64 + ALPHABET.index(digit)
    assert number == int.from_bytes(octets, "big")


def test_timestamps_are_in_utc_without_fractions() -> None:
    assert timestamp(1_394_287_840.9) == "2014-03-08T14:10:40Z"
