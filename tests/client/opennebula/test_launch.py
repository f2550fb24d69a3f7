"""What OpenNebula from 5.12 on would not hand to the guest as it is, refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.launch import LaunchOptions
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06


@pytest.mark.parametrize(
    ("options", "argument", "problem"),
    [
        ({"public_keys": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "public_keys", "found a private key"),
        ({"public_keys": "PuTTY-User-Key-File-2: x\nPrivate-Lines: 8"}, "public_keys", "found a private key"),
        ({"public_keys": "ssh-rsa AAAA $USER"}, "public_keys", r"holds a \$"),
        ({"user_data": "\ud800"}, "user_data", "has text with a surrogate"),
        ({"user_data": 1}, "user_data", "found a int; give text or bytes"),
        ({"context": {"A": "$NAME"}}, "ex_context['A']", r"holds a \$"),
    ],
)
def test_values_that_the_guest_would_not_get(options: dict[str, Any], argument: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem) as caught:
        LaunchOptions(**options).check(STRATUSLAB_14_06)
    assert caught.value.argument == argument
