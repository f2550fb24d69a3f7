"""Texts of servers as they may be shown: without secrets, and of limited length.

A text is searched as it is and decoded: every decoding is one pass that remembers where each character came
from, so the time grows with the length of the text alone, whatever the secret is.
"""

from __future__ import annotations

import base64
import re
import sys
from bisect import bisect_right
from functools import cached_property
from html.entities import html5
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stratuslab.client.configuration.cloud import Password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["MAX_LOGGED_CHARACTERS", "MAX_QUOTED_CHARACTERS", "SHORT_SECRET", "Secrecy"]

MAX_QUOTED_CHARACTERS = 500
"""A longer text does not help the reader of an error."""
MAX_LOGGED_CHARACTERS = 100_000
"""What the debug log shows of a request: to cover text takes up to 0.35 s for each million characters."""
SHORT_SECRET = 4
"""A shorter password is a part of too many words: it is covered only after its user name."""

_SHOWN = "***"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST_FORM = 64
"""Characters that one character can become in two encodings: ``%26%23x0001f600%3B``, for example."""

_Span = tuple[int, int]


class Secrecy:
    """The secrets of one cloud, in the forms in which a server or a library repeats them.

    These are: as it is, in UTF-8 that was read as Latin-1, and in Base64, also together with the user name.
    Each of them is found as it stands, or quoted for a URL, for XML or HTML, for JSON or Python, or in one of
    these within another.
    """

    def __init__(self, cloud: Cloud) -> None:
        logins = [
            (credentials.username, credentials.password)
            for credentials in (cloud.credentials, cloud.pdisk_credentials)
            if isinstance(credentials, Password)
        ]
        proxy = urlsplit(cloud.proxy_url or "")
        if proxy.password:
            logins.append((unquote(proxy.username or ""), unquote(proxy.password)))
        self._forms = sorted({form for login in logins for form in _forms_of(*login)})
        self._look_ahead = _LONGEST_FORM * max(map(len, self._forms), default=0)

    def cover(self, text: str) -> str:
        """Return a text with asterisks for every secret, cut if it is longer than a log needs."""
        return self._shown(text, MAX_LOGGED_CHARACTERS)

    def quotable(self, text: str) -> str:
        """Return what a server says: covered, cut, and without control characters."""
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", self._shown(text, MAX_QUOTED_CHARACTERS))

    def _shown(self, text: str, length: int) -> str:
        """Return a text covered and cut.

        What is covered is found before the text is cut, so that no half of a secret is left at the end.
        """
        spans = self._spans_in(text[: length + self._look_ahead])
        rest = "…" if len(text) > length else ""
        return _covered(text, spans, length) + rest

    def _spans_in(self, text: str) -> list[_Span]:
        if not self._forms:
            return []
        found = {
            view.origin_of(span)
            for view in _views_of(text)
            for form in self._forms
            for span in _occurrences(form, view.text)
        }
        return _merged(sorted(found))


def _forms_of(username: str, password: str) -> Iterator[str]:
    pair = f"{username}:{password}"
    short = len(password) < SHORT_SECRET
    shown = pair if short else password
    yield from (shown, shown.encode("utf-8", "surrogatepass").decode("latin-1"))
    for secret in (pair,) if short else (pair, password):
        yield _base64_of(secret.encode("utf-8", "surrogatepass"))
        yield _base64_of(secret.encode("latin-1", "replace"))


def _base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _occurrences(form: str, text: str) -> Iterator[_Span]:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        yield start, end
        start = text.find(form, end)


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _covered(text: str, spans: list[_Span], length: int) -> str:
    """Return the first ``length`` characters of a text, with asterisks for each span that begins there."""
    pieces = []
    shown_to = 0
    for start, end in spans:
        if start >= length:
            break
        pieces += [text[shown_to:start], _SHOWN]
        shown_to = end
    return "".join([*pieces, text[shown_to:length]])


class _View:
    """A text, decoded or as it is; it knows where each part of it came from.

    ``parts`` are what was decoded, where every second one is a code, and ``meanings`` what became of each.
    """

    def __init__(self, below: _View | None, parts: list[str], meanings: list[str]) -> None:
        self.text = "".join(meanings)
        self._below = below
        self._parts = parts
        self._meanings = meanings

    def decoded(self, codes: re.Pattern[str], meaning: Callable[[str], str]) -> _View | None:
        """Return this text without its codes; None if there are none."""
        parts = codes.split(self.text)
        if len(parts) == 1:
            return None
        known = {code: meaning(code) for code in set(parts[1::2])}
        meanings = parts.copy()
        meanings[1::2] = [known[code] for code in parts[1::2]]
        return _View(self, parts, meanings)

    def origin_of(self, span: _Span) -> _Span:
        """Return where a span of this text is in the original text."""
        if self._below is None:
            return span
        start, end = span
        first, last = (bisect_right(self._starts, place) - 1 for place in (start, end - 1))
        begins, ends = self._origins[first], self._origins[last + 1]
        if first % 2 == 0:
            begins += start - self._starts[first]
        if last % 2 == 0:
            ends = self._origins[last] + end - self._starts[last]
        return self._below.origin_of((begins, ends))

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(map(len, self._meanings), initial=0))

    @cached_property
    def _origins(self) -> list[int]:
        return list(accumulate(map(len, self._parts), initial=0))


def _views_of(text: str) -> Iterator[_View]:
    """Yield a text as it is, decoded once in every way, and decoded twice."""
    plain = _View(None, [text], [text])
    yield plain
    for first in _DECODINGS:
        once = plain.decoded(*first)
        if once is not None:
            yield once
            yield from (twice for second in _DECODINGS if (twice := once.decoded(*second)) is not None)


_HEX = "[0-9A-Fa-f]"
_FOLLOWS = f"%[89ABab]{_HEX}"
_URL_CODES = (
    rf"\+|%[CDcd]{_HEX}{_FOLLOWS}|%[Ee]{_HEX}(?:{_FOLLOWS}){{2}}|%[Ff][0-7](?:{_FOLLOWS}){{3}}|%{_HEX}{{2}}"
)
_XML_CODES = rf"&(?:#[0-9]{{1,9}}|#[xX]{_HEX}{{1,8}}|[A-Za-z][A-Za-z0-9]{{1,31}});"
_BACKSLASH_CODES = (
    rf"\\u[Dd][89ABab]{_HEX}{{2}}\\u[Dd][C-Fc-f]{_HEX}{{2}}|\\u{_HEX}{{4}}|\\U{_HEX}{{8}}|\\x{_HEX}{{2}}|\\."
)
_CONTROL_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _of_url(code: str) -> str:
    if code == "+":
        return " "
    data = bytes.fromhex(code.replace("%", ""))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _of_xml(code: str) -> str:
    if code[1] != "#":
        return html5.get(code[1:], code)
    # Not html.unescape, which takes &#128; for the euro sign.
    number = int(code[3:-1], 16) if code[2] in "xX" else int(code[2:-1])
    return _character(number)


def _of_backslash(code: str) -> str:
    if len(code) == 2:
        return _CONTROL_LETTERS.get(code[1], code[1])
    if len(code) == 12:
        return bytes.fromhex(code.replace("\\u", "")).decode("utf-16-be", "replace")
    return _character(int(code[2:], 16))


def _character(number: int) -> str:
    return chr(number) if number <= sys.maxunicode else "\N{REPLACEMENT CHARACTER}"


_DECODINGS = [
    (re.compile(f"({codes})", re.DOTALL), meaning)
    for codes, meaning in ((_URL_CODES, _of_url), (_XML_CODES, _of_xml), (_BACKSLASH_CODES, _of_backslash))
]
