"""XML as servers write it, without the characters that XML cannot hold.

OpenNebula pastes into its documents what drivers and users say: the coloured output of a script, a text in
another encoding. One such VM must not hide all others, so U+FFFD stands for each character that no document
can have.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["Cleaner", "cleaned", "is_utf_8", "mended"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REPLACED = dict.fromkeys(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], _REPLACEMENT
)
_FORBIDDEN_BYTES = bytes({*range(0x20)} - {0x09, 0x0A, 0x0D})
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
_BEGUN_REFERENCE = re.compile(rb"&(?:#x?[0-9A-Fa-f]{0,10})?\Z")
_MAX_REFERENCE_BYTES = 14
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_UTF_8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


_CDATA_EDGE = re.compile(r"<!\[CDATA\[|\]\]>")
_END_TAG = re.compile(r"\s*</")


def is_utf_8(beginning: bytes) -> bool:
    """Return whether a document that begins with these bytes is in UTF-8, which is XML's default."""
    declared = _DECLARED.match(beginning)
    other = declared is not None and declared[1].lower() not in _UTF_8
    return not (other or beginning.startswith(_UTF_16_MARKS))


def mended(text: str) -> str:
    """Return a text, cleaned, in which ``]]>`` ends CDATA only before an end tag, and stands nowhere else.

    OpenNebula writes the values of users as CDATA and does not look into them.
    """
    pieces: list[str] = []
    text = cleaned(text)
    read_to, in_cdata = 0, False
    for edge in _CDATA_EDGE.finditer(text):
        piece = edge[0]
        if piece != "]]>":
            in_cdata = True
        elif in_cdata and _END_TAG.match(text, edge.end()):
            in_cdata = False
        else:
            piece = "]]]]><![CDATA[>" if in_cdata else "]]&gt;"
        pieces += [text[read_to : edge.start()], piece]
        read_to = edge.end()
    return "".join([*pieces, text[read_to:]])


def cleaned(text: str) -> str:
    """Return a text with U+FFFD for what XML cannot hold: control characters, and references to them."""
    if "&#" in text:
        text = _REFERENCE.sub(_possible, text)
    # The pattern would take fifty bytes of memory for each character that it finds.
    return text.translate(_REPLACED) if _FORBIDDEN.search(text) else text


class Cleaner:
    """Cleans a document that comes in pieces of bytes.

    A document that declares another encoding than UTF-8 passes unchanged: the parser knows that encoding.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_utf_8: bool | None = None
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain of the document so far."""
        if self._is_utf_8 is None and piece:
            self._is_utf_8 = is_utf_8(piece)
        return piece if self._is_utf_8 is False else self._clean(piece, final=False)

    def close(self) -> bytes:
        """Return what was held back, because the next piece could have changed its meaning."""
        return self._clean(b"", final=True)

    def _clean(self, piece: bytes, *, final: bool) -> bytes:
        piece = self._held + piece
        begun = None if final else _BEGUN_REFERENCE.search(piece, max(0, len(piece) - _MAX_REFERENCE_BYTES))
        self._held = begun[0] if begun else b""
        piece = piece[: len(piece) - len(self._held)]
        begun_character, _ = self._decoder.getstate()
        if not begun_character and _is_plain(piece):
            return piece
        return cleaned(self._decoder.decode(piece, final)).encode()


def _is_plain(piece: bytes) -> bool:
    """Return whether a piece needs no look at each character, as nearly all do."""
    # An escaped document is full of "&": looking for "#" first takes a fraction of the time.
    has_reference = b"#" in piece and b"&#" in piece
    has_control = len(piece.translate(None, _FORBIDDEN_BYTES)) < len(piece)
    return piece.isascii() and not has_reference and not has_control


def _possible(reference: re.Match[str]) -> str:
    hexadecimal, decimal = reference.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if number > 0x10FFFF or _FORBIDDEN.match(chr(number)):
        return _REPLACEMENT
    return reference[0]
