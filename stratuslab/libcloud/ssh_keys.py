"""The user's SSH keys: which public key a node gets, and the private one that opens it."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcloud.compute.ssh import ParamikoSSHClient
from stratuslab.client.errors import ConfigurationError, InvalidArgumentError
from stratuslab.client.frames import without_frames
from stratuslab.libcloud.arguments import several

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["default_public_key", "private_key_file_for", "usable_private_keys"]

_PUBLIC_KEY = re.compile(r"\s*(ssh|ecdsa|sk)-[\w@.-]+ AAAA")
_DEFAULT_PUBLIC_KEYS = ("~/.ssh/id_ed25519.pub", "~/.ssh/id_ecdsa.pub", "~/.ssh/id_rsa.pub")


def default_public_key(cloud: Cloud) -> str | None:
    """Return the content of ``user_public_key_file``, else of the first usual file that exists.

    :raises ConfigurationError: if the configured file cannot be read.
    """
    file = _public_key_file(cloud)
    if file is None:
        return None
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(
            f"{cloud.source}, key user_public_key_file: {str(file)!r} cannot be read: {reason}"
        ) from error


def private_key_file_for(cloud: Cloud, public_key: str | None) -> str | None:
    """Return the file of the private key that belongs to a public one, None where there is none.

    ``public_key`` is the one that the node gets; None for :func:`default_public_key`. The private key of the
    default public key is ``user_private_key_file``, else the file beside it without ``.pub``.

    :raises ConfigurationError: if there is no such ``user_private_key_file``.
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


@without_frames
def usable_private_keys(
    files: str | list[str], password: str | None, public_key: str | None
) -> str | list[str]:
    """Return the files, with those that belong to the public key first, if paramiko can use them all.

    A server may end the connection at the first key that it does not know: OpenSSH's after some, others at
    once.

    :param files: file or files, of which one is to open the node.
    :param password: pass phrase of the key, None if it has none.
    :param public_key: the public keys that the node gets, one a line; None if it gets none.
    :raises InvalidArgumentError: for a file that paramiko cannot use, and if no file belongs to the public
        key.
    """
    given = [files] if isinstance(files, (str, PathLike)) else several("ssh_key", files)
    listed = [Path(file).expanduser() for file in given]
    keys = [_public_part(file, password, alone=len(listed) == 1) for file in listed]
    wanted = [
        line.split()[:2] for line in (public_key or "").removeprefix("\ufeff").splitlines() if line.strip()
    ]
    certified = any("-cert-" in word for line in wanted for word in line[:1])
    if wanted and not certified and not any(key in wanted for key in keys):
        raise InvalidArgumentError(
            f"found {', '.join(map(repr, map(str, listed)))}, which is not the private key of the public key "
            "that the node gets; give the one that is, or its public key as auth",
            argument="ssh_key",
        )
    ordered = sorted(zip(listed, keys, strict=True), key=lambda pair: pair[1] not in wanted)
    usable = [str(file) for file, _ in ordered]
    return usable[0] if len(usable) == 1 else usable


def _public_part(file: Path, password: str | None, *, alone: bool) -> list[str]:
    """Return type and key of the public key that belongs to a file's private one."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _refusal(file, f"cannot be read: {reason}") from error
    if not text.strip():
        raise _refusal(file, "is empty; give the file of a private key")
    if text.startswith("PuTTY-User-Key-File"):
        raise _refusal(file, f"is PuTTY's; write it for OpenSSH: puttygen {file} -O private-openssh -o NEW")
    if "PRIVATE KEY-----" not in text:
        raise _refusal(
            file,
            "is a public key; give the file of the private one"
            if "PUBLIC KEY" in text or _PUBLIC_KEY.match(text)
            else "holds no private key; give the file of one",
        )
    key = _loaded(text, file, password, alone=alone)
    return [key.get_name(), key.get_base64()]


def _loaded(text: str, file: Path, password: str | None, *, alone: bool) -> Any:
    """Load a key as Libcloud does, which rewrites PKCS#8 only of a single file, or else as paramiko does."""
    paramiko: Any = importlib.import_module("paramiko")
    ways: list[Callable[[], Any]] = [
        partial(getattr(paramiko, kind).from_private_key, io.StringIO(text), password)
        for kind in ("RSAKey", "ECDSAKey", "Ed25519Key")
    ]
    if alone:
        ways.insert(0, partial(ParamikoSSHClient("localhost")._get_pkey_object, text, password))
    for load in ways:
        # Any exception: paramiko passes on what its libraries raise.
        with contextlib.suppress(Exception):
            return load()
    raise _refusal(file, _reason(text, file, password))


def _reason(text: str, file: Path, password: str | None) -> str:
    """Say why paramiko cannot read what looks like a private key."""
    from cryptography.hazmat.primitives import serialization

    openssh = "BEGIN OPENSSH PRIVATE KEY" in text
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        load(text.encode(), password.encode() if password else None)
    except TypeError:
        if password:
            return "is not encrypted; leave ssh_key_password out"
        return "is encrypted; give its pass phrase as ssh_key_password"
    except Exception:  # noqa: BLE001  of many kinds, by the format and by the library's version
        if password:
            return "cannot be opened with ssh_key_password; give its right pass phrase"
        return "is broken, or of a kind that paramiko does not know; give an Ed25519, ECDSA or RSA key"
    return f"is in a format that paramiko does not read; write it for OpenSSH: ssh-keygen -p -f {file}"


def _refusal(file: Path, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{str(file)!r} {problem}", argument="ssh_key")


def _existing(cloud: Cloud, file: Path) -> str:
    if not file.exists():
        raise ConfigurationError(
            f"{cloud.source}, key user_private_key_file: found {str(file)!r}; there is no such file"
        )
    return str(file)


def _public_key_file(cloud: Cloud) -> Path | None:
    return cloud.public_key_file or next(iter(_existing_defaults()), None)


def _existing_defaults() -> list[Path]:
    """Return the usual files that exist; none if the home folder cannot be read."""
    try:
        return [file for name in _DEFAULT_PUBLIC_KEYS if (file := Path(name).expanduser()).is_file()]
    except (OSError, RuntimeError):
        return []


def _same_key(file: Path, public_key: str) -> bool:
    """Compare type and key, not the comment."""
    try:
        return file.read_text("utf-8-sig").split()[:2] == public_key.removeprefix("\ufeff").split()[:2]
    except (OSError, UnicodeDecodeError):
        return False
