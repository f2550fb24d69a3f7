"""Public keys as users give them, and the private ones that must not leave their machine."""

from __future__ import annotations

import re

from stratuslab.client.errors import InvalidArgumentError

__all__ = ["authorized_keys", "is_private_key"]

# PEM and OpenSSH, OpenPGP, SSH2 (RFC 4716's relatives), PuTTY.
_PRIVATE_KEY = re.compile(r"PRIVATE KEY( BLOCK)? ?----|^Private-Lines:", re.MULTILINE)


def is_private_key(text: str) -> bool:
    """Return whether a text holds a private key."""
    return bool(_PRIVATE_KEY.search(text))


def authorized_keys(public_keys: str | None, argument: str) -> str:
    """Return public keys one a line, without the comment lines of other formats.

    :raises InvalidArgumentError: if a private key is among them.
    """
    if is_private_key(public_keys or ""):
        raise InvalidArgumentError(
            "found a private key, which must not leave your machine", argument=argument
        )
    lines = (line.strip(" \t\r") for line in (public_keys or "").split("\n"))
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("Comment:"))
