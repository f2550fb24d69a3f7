"""Secrets that are sent as they are, and shown as asterisks in logs, debuggers and crash reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratuslab.client.transport.redaction import Secrecy

__all__ = ["CoveredBody", "CoveredText"]


class CoveredText(str):
    """A text that is sent as it is and shown as three asterisks."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return "***"

    def __repr__(self) -> str:
        return "***"


class CoveredBody(bytes):
    """A body that is sent as it is, shown by Libcloud's debug log without secrets, and never by ``repr``."""

    secrecy: Secrecy

    @classmethod
    def of(cls, body: bytes, secrecy: Secrecy) -> CoveredBody:
        """Return a body that is shown without the secrets that ``secrecy`` knows."""
        covered = cls(body)
        covered.secrecy = secrecy
        return covered

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as a text without secrets."""
        return self.secrecy.cover(super().decode(encoding, errors))

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"
