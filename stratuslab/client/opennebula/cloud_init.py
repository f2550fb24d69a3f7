"""What a VM's cloud-init reads from its context (the ``cloud-init`` context method)."""

from __future__ import annotations

import base64
import gzip

from stratuslab.client.errors import InvalidArgumentError

__all__ = ["MAX_USER_DATA_BYTES", "encoded_keys", "encoded_user_data", "user_data_bytes"]

MAX_USER_DATA_BYTES = 16384
"""The limit of StratusLab's own tools, for the compressed data."""


def encoded_keys(public_keys: str) -> str:
    """Return SSH public keys, one a line, as ``CLOUD_INIT_AUTHORIZED_KEYS``."""
    return base64.b64encode(public_keys.encode()).decode("ascii")


def encoded_user_data(user_data: str | bytes) -> str:
    """Return user data (a script, ``#cloud-config`` or a MIME message) as ``CLOUD_INIT_USER_DATA``.

    :raises InvalidArgumentError: if it is longer than 16384 bytes when compressed, or if its text is not
        Unicode.
    """
    compressed = gzip.compress(user_data_bytes(user_data), mtime=0)
    if len(compressed) > MAX_USER_DATA_BYTES:
        raise InvalidArgumentError(
            f"has {len(compressed)} bytes when compressed; StratusLab takes {MAX_USER_DATA_BYTES} at most",
            argument="user_data",
        )
    return base64.b64encode(compressed).decode("ascii")


def user_data_bytes(user_data: str | bytes) -> bytes:
    """Return user data as bytes.

    :raises InvalidArgumentError: if it is neither text in Unicode nor bytes.
    """
    if isinstance(user_data, bytes):
        return user_data
    if not isinstance(user_data, str):
        raise InvalidArgumentError(
            f"found a {type(user_data).__name__}; give text or bytes", argument="user_data"
        )
    try:
        return user_data.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(
            "has text with a surrogate, which UTF-8 cannot hold; give bytes", argument="user_data"
        ) from None
