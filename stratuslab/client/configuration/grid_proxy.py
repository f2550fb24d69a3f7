"""Grid proxies: one file that holds a certificate and its key."""

from __future__ import annotations

import os
from pathlib import Path

from stratuslab.client.errors import ConfigurationError

__all__ = ["grid_proxy", "holds_private_key"]


def grid_proxy() -> Path | None:
    """Return the file that ``X509_USER_PROXY`` names, None if it names none.

    :raises ConfigurationError: if there is no such file.
    """
    name = os.environ.get("X509_USER_PROXY")
    if name and not Path(name).is_file():
        raise ConfigurationError(f"X509_USER_PROXY: found {name!r}; there is no such file")
    return Path(name) if name else None


def holds_private_key(file: Path) -> bool:
    """Return whether a file of a certificate holds a private key too."""
    try:
        return b"PRIVATE KEY-----" in file.read_bytes()
    except OSError:
        return False
