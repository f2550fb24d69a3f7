"""What a server says, as it may be shown: without the secrets that it was told, and not without end."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from html.entities import codepoint2name
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stratuslab.client.configuration.cloud import Password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["Secrecy"]

_SHOWN = "***"
_MAX_CHARACTERS = 2000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BACKSLASHES = r"\\{0,4}"
"""What JSON, Python and one in the other put before a character."""


class Secrecy:
    """The secrets of one cloud, in every form in which a server or a library may repeat them.

    A password comes back as it is, quoted for a URL, for XML, JSON or Python, read as Latin-1, in Base64, and
    one in the other.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._logins = [
            (credentials.username, credentials.password)
            for credentials in (cloud.credentials, cloud.pdisk_credentials)
            if isinstance(credentials, Password)
        ]
        proxy = urlsplit(cloud.proxy_url or "")
        if proxy.password:
            self._logins.append((unquote(proxy.username or ""), unquote(proxy.password)))

    def cover(self, text: str) -> str:
        """Return a text with asterisks for every secret."""
        return self._secrets.sub(_SHOWN, text) if self._logins else text

    def quotable(self, text: str) -> str:
        """Return what a server says, covered, without control characters and of a length to be read."""
        shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", self.cover(text[: 2 * _MAX_CHARACTERS]))
        return shown if len(shown) <= _MAX_CHARACTERS else f"{shown[:_MAX_CHARACTERS]}…"

    @cached_property
    def _secrets(self) -> re.Pattern[str]:
        return re.compile("|".join(form for login in self._logins for form in _forms(*login)))


def _forms(username: str, password: str) -> Iterator[str]:
    for text in (f"{username}:{password}", password):
        for encoding in ("utf-8", "latin-1"):
            yield _in_base64(text.encode(encoding, "replace"))
    runs = re.findall(r"(\\+)|(.)", password, re.DOTALL)
    yield "".join(_run_of(len(slashes)) if slashes else _one_of(character) for slashes, character in runs)


def _in_base64(data: bytes) -> str:
    encoded = re.escape(base64.b64encode(data).decode("ascii").rstrip("="))
    encoded = encoded.replace(r"\+", r"(?:\+|%2[Bb])").replace("/", rf"(?:{_BACKSLASHES}/|%2[Ff])")
    return f"{encoded}(?:=|%3[Dd]){{0,2}}"


def _run_of(count: int) -> str:
    """Return the pattern of some backslashes, however many times doubled."""
    return rf"(?:\\|%5[Cc]|&(?:amp;)*#(?:0*92|x0*5[Cc]);){{{count},{4 * count}}}"


def _one_of(character: str) -> str:
    """Return the pattern of a character that is no backslash, in every form."""
    code = ord(character)
    forms = [re.escape(character)]
    for encoding in ("utf-8", "latin-1"):
        encoded = character.encode(encoding, "replace")
        forms.append(_BACKSLASHES.join(f"(?:{re.escape(chr(byte))}|[%x]{byte:02x})" for byte in encoded))
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    forms.append(_BACKSLASHES.join(f"u{utf16[start : start + 4]}" for start in range(0, len(utf16), 4)))
    forms.append(f"u{code:08x}")
    names = {codepoint2name.get(code), "apos" if character == "'" else None} - {None}
    forms.append(f"&(?:amp;)*(?:{'|'.join([*map(str, names), f'#0*{code}', f'#x0*{code:x}'])});")
    if character == " ":
        forms.append(r"\+")
    first, *others = dict.fromkeys(forms)
    return rf"{_BACKSLASHES}(?:{first}|(?i:{'|'.join(others)}))"
