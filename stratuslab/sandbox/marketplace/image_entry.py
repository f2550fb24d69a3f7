"""What the Marketplace knows of an image: one metadata entry, endorsed by one person at one time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

_BASE_64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_IDENTIFIER_LENGTH = 27


def identifier_of(sha1: str) -> str:
    """Compute the Marketplace identifier of an image from its SHA-1 in hexadecimal.

    The checksum is taken as one number, written in base 64 with 27 digits, the most significant first. This
    is not the usual base 64 of the bytes.
    """
    number = int(sha1, 16)
    return "".join(_BASE_64[number >> 6 * place & 63] for place in reversed(range(_IDENTIFIER_LENGTH)))


def timestamp(seconds: float) -> str:
    """Write a time in Unix seconds as the Marketplace does: `2014-03-08T14:10:40Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))


@dataclass(frozen=True)
class ImageEntry:
    """One metadata entry.

    `sha1` (hexadecimal) and `size_bytes` describe the uncompressed image; `identifier` follows from the
    checksum. `email`, `subject` and `issuer` are the endorser's, `endorsed` is when: identifier, e-mail and
    that time together name the entry. Times (`endorsed`, `created`, `valid`) are in Unix seconds. None means
    that the element is missing, an empty text that it is there and empty. `document` is the RDF/XML of an
    entry that was uploaded, without its declaration; empty for any other.
    """

    sha1: str
    size_bytes: int
    endorsed: float
    created: float
    valid: float | None
    email: str
    subject: str
    issuer: str
    description: str = ""
    title: str | None = None
    alternatives: tuple[str, ...] = ()
    md5: str | None = None
    sha256: str | None = None
    sha512: str | None = None
    type: str = "base"
    kind: str | None = "machine"
    os: str | None = None
    os_version: str | None = None
    os_arch: str | None = None
    version: str | None = None
    serial_number: str | None = None
    compression: str | None = None
    format: str = "raw"
    disks_bus: str | None = None
    hypervisor: str | None = "kvm"
    creator: str | None = None
    publisher: str | None = "StratusLab"
    locations: tuple[str, ...] = ()
    inbound_ports: tuple[int, ...] = ()
    outbound_ports: tuple[int, ...] = ()
    icmp: tuple[int, ...] = ()
    deprecated: str | None = None
    related_images: tuple[str, ...] = ()
    document: str = ""

    @cached_property
    def identifier(self) -> str:
        """The image's identifier in the Marketplace: 27 letters, digits, `-` and `_`."""
        return identifier_of(self.sha1)

    @cached_property
    def key(self) -> tuple[str, str, str]:
        """What names the entry, and its path: identifier, e-mail of the endorser, time of the endorsement."""
        return (self.identifier, self.email, timestamp(self.endorsed))

    def expired_at(self, now: float) -> bool:
        """Whether the entry is out of date; one without a date is neither valid nor expired."""
        return self.valid is not None and int(self.valid) < int(now)

    def valid_at(self, now: float) -> bool:
        """Whether the entry is in date and not deprecated."""
        return self.valid is not None and int(self.valid) > int(now) and self.deprecated is None
