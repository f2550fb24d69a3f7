from __future__ import annotations

import base64
import random

import pytest

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.cloud_init import MAX_USER_DATA_BYTES, encoded_user_data


def test_the_longest_user_data_are_taken_and_one_byte_more_is_not() -> None:
    content = random.Random(1).randbytes(MAX_USER_DATA_BYTES)
    overhead = len(base64.b64decode(encoded_user_data(content[:16000]))) - 16000
    longest = content[: MAX_USER_DATA_BYTES - overhead]

    assert len(base64.b64decode(encoded_user_data(longest))) == MAX_USER_DATA_BYTES
    with pytest.raises(InvalidArgumentError, match="16385 bytes"):
        encoded_user_data(longest + b"x")


def test_the_same_data_are_encoded_the_same_at_any_time() -> None:
    assert base64.b64decode(encoded_user_data("x"))[4:8] == bytes(4)
