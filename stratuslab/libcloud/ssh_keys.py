"""The user's SSH keys: which public key a node gets, and the private one that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["default_public_key", "private_key_file_for"]

_DEFAULT_PUBLIC_KEYS = ("~/.ssh/id_ed25519.pub", "~/.ssh/id_ecdsa.pub", "~/.ssh/id_rsa.pub")


def default_public_key(cloud: Cloud) -> str | None:
    """Return the content of ``user_public_key_file``, else of the first usual file that exists.

    Raises :class:`~stratuslab.client.errors.ConfigurationError` if the configured file cannot be read.
    """
    file = _public_key_file(cloud)
    if file is None:
        return None
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(
            f"{cloud.source}, key user_public_key_file: {str(file)!r} cannot be read: {reason}"
        ) from error


def private_key_file_for(cloud: Cloud, public_key: str | None) -> str | None:
    """Return the file of the private key that belongs to a public one, None where there is none.

    ``public_key`` is the one that the node gets; None for :func:`default_public_key`. The private
    key of the default public key is ``user_private_key_file``, else the file beside it without
    ``.pub``. Raises :class:`~stratuslab.client.errors.ConfigurationError` if there is no such
    ``user_private_key_file``.
    """
    default = _public_key_file(cloud)
    candidates = [default] if default else []
    candidates += [file for file in _existing_defaults() if file != default]
    for file in candidates:
        if public_key is None or _same_key(file, public_key):
            if file == default and cloud.private_key_file:
                return _existing(cloud, cloud.private_key_file)
            private = file.with_name(file.name.removesuffix(".pub"))
            return str(private) if private != file and private.exists() else None
    return None


def _existing(cloud: Cloud, file: Path) -> str:
    if not file.exists():
        raise ConfigurationError(
            f"{cloud.source}, key user_private_key_file: found {str(file)!r}; there is no such file"
        )
    return str(file)


def _public_key_file(cloud: Cloud) -> Path | None:
    return cloud.public_key_file or next(iter(_existing_defaults()), None)


def _existing_defaults() -> list[Path]:
    """Return the usual files that are there; without a home folder that can be looked into, none."""
    try:
        return [file for name in _DEFAULT_PUBLIC_KEYS if (file := Path(name).expanduser()).is_file()]
    except (OSError, RuntimeError):
        return []


def _same_key(file: Path, public_key: str) -> bool:
    """Compare type and key, not the comment."""
    try:
        return file.read_text("utf-8").split()[:2] == public_key.split()[:2]
    except (OSError, UnicodeDecodeError):
        return False
