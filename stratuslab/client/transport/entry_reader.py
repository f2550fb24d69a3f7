"""Long lists in XML, read as they come, an entry at a time: one that cannot be read hides no other."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser, tostring

from stratuslab.client.transport.xml_document import (
    MAX_PROLOG_BYTES,
    DocumentError,
    not_well_formed,
    parse,
    root_of,
)
from stratuslab.client.transport.xml_text import is_utf_8, mended

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EntryReader"]

_MAX_ENTRY_TAGS = 25_000
_MAX_ENTRY_CHARACTERS = 8 * 1024 * 1024
_NAMED = re.compile(r"<(?:[\w.-]+:)?(?:ID|identifier)\b[^>]*>(?:<!\[CDATA\[)?\s*([^<\]]{1,64})")
_START_TAG = re.compile(r"""<([A-Za-z_][\w.:-]*)(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_TOO_LONG = "it holds a longer entry than any cloud does"


class EntryReader:
    """Reads a document piece by piece and hands out each ``tag`` element below its root, keeping none.

    ``take`` gets an element when it is complete and must not keep it. It refuses one that makes no sense with
    a :class:`DocumentError`. Such an element, and one that is not well-formed, is left out: ``left_out`` says
    which and why, and ``taken`` counts the others. ``roots`` are the tags that the document's own element may
    have; that element is handed out too if its tag is ``tag``.

    :raises DocumentError: from :meth:`feed` and :meth:`close`, for what
        :func:`~stratuslab.client.transport.xml_document.parse` refuses of the document as a whole, and for an
        element that is longer than any of our services writes.
    """

    def __init__(self, tag: str, take: Callable[[Element], None], *, roots: frozenset[str]) -> None:
        self.left_out: list[str] = []
        self.taken = 0
        self._tag = tag
        self._take = take
        self._roots = roots
        # An element above the root shows the tree while it grows, without an event for every element.
        builder: TreeBuilder = TreeBuilder()
        self._above_root = builder.start("document", {})
        # Without a document type there are no entities.
        self._parser: XMLParser[Element] = XMLParser(target=builder)  # noqa: S314
        self._prolog = b""
        self._begun = False
        self._root_is_entry = False
        self._open_tags = 0
        self._not_handed_out = bytearray()
        self._nothing_handed_out = True
        self._closing = b""
        self._careful: _CarefulReader | None = None

    def feed(self, chunk: bytes | str) -> None:
        """Read the next piece of the document."""
        content = chunk.encode("utf-8", "replace") if isinstance(chunk, str) else chunk
        if not self._begun:
            self._prolog += content
            if len(self._prolog) < MAX_PROLOG_BYTES:
                return
            content = self._prolog
            self._begin()
        self._read(content)

    def close(self) -> None:
        """Read what is left, and check that the document is complete."""
        if not self._begun:
            if not self._prolog:
                raise DocumentError("it is empty")
            self._begin()
            self._read(self._prolog)
        if self._careful is None:
            try:
                self._parser.close()
            except ParseError as error:
                self._go_on_carefully(error)
            else:
                [root] = self._above_root
                self._hand_out(self._above_root if self._root_is_entry else root, incomplete=0)
        if self._careful is not None:
            self._careful.close()

    def _begin(self) -> None:
        self._begun = True
        self._prolog = self._prolog[:MAX_PROLOG_BYTES]
        root = root_of(self._prolog)
        if root not in self._roots:
            raise DocumentError(f"it is a <{root}>")
        self._root_is_entry = root == self._tag

    def _read(self, content: bytes) -> None:
        if self._careful is not None:
            self._careful.feed(content)
            return
        self._open_tags += content.count(b"<")
        self._not_handed_out += content
        try:
            self._parser.feed(content)
        except ParseError as error:
            self._go_on_carefully(error)
            return
        if not self._root_is_entry:
            for root in self._above_root:
                self._forget(self._hand_out(root, incomplete=1))
        if self._open_tags > _MAX_ENTRY_TAGS:
            raise DocumentError(_TOO_LONG)

    def _hand_out(self, parent: Element, *, incomplete: int) -> int:
        """Take the children off their parent, all but the ``incomplete`` last ones, and count the entries."""
        complete = parent[: len(parent) - incomplete]
        del parent[: len(complete)]
        entries = [element for element in complete if element.tag == self._tag]
        for element in entries:
            self._open_tags = 0
            self._give(element)
        return len(entries)

    def _give(self, element: Element) -> None:
        try:
            self._take(element)
        except DocumentError as error:
            self.left_out.append(f"{_name_of(tostring(element, 'unicode'))}: {error}")
        else:
            self.taken += 1

    def _forget(self, entries: int) -> None:
        """Drop the text of entries that were handed out."""
        if entries and not self._closing:
            found = _closing_tag(self._tag).search(self._not_handed_out.decode("utf-8", "replace"))
            self._closing = found[0].encode() if found else b""
        place = 0
        for _ in range(entries):
            found_at = self._not_handed_out.find(self._closing, place)
            if found_at < 0:
                break
            place = found_at + len(self._closing)
        del self._not_handed_out[:place]
        self._nothing_handed_out = self._nothing_handed_out and not place

    def _go_on_carefully(self, error: ParseError) -> None:
        failure = not_well_formed(error)
        prolog = self._prolog.decode("utf-8", "replace")
        root = root_of(self._prolog).rpartition("}")[2]
        start = next((tag for tag in _START_TAG.finditer(prolog) if tag[1].rpartition(":")[2] == root), None)
        if self._root_is_entry or start is None or not is_utf_8(self._prolog):
            raise failure from None
        content = bytes(self._not_handed_out)
        if self._nothing_handed_out:
            content = content[len(prolog[: start.end()].encode()) :]
        self._not_handed_out.clear()
        self._careful = _CarefulReader(self._tag, self._give, self.left_out, start, failure)
        self._careful.feed(content)


class _CarefulReader:
    """Reads the rest of a list whose parser stopped: cuts it into entries and reads each on its own."""

    def __init__(
        self,
        tag: str,
        give: Callable[[Element], None],
        left_out: list[str],
        root: re.Match[str],
        failure: DocumentError,
    ) -> None:
        self._tag = tag
        self._give = give
        self._left_out = left_out
        self._root = root
        self._failure = failure
        self._closing = _closing_tag(tag)
        self._next = re.compile(rf"\s*(?:<(?:[\w.-]+:)?{_local(tag)}[\s>/]|</{re.escape(root[1])}\s*>)")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._searched = 0

    def feed(self, content: bytes) -> None:
        """Read all entries that are complete and whose end is sure."""
        self._text += self._decoder.decode(content)
        self._read(final=False)

    def close(self) -> None:
        """Read the last entries, and check that the document is complete."""
        self._text += self._decoder.decode(b"", True)
        self._read(final=True)
        if not re.fullmatch(rf"\s*</{re.escape(self._root[1])}\s*>\s*", self._text):
            raise self._failure

    def _read(self, *, final: bool) -> None:
        while closing := self._closing.search(self._text, self._searched):
            end = closing.end()
            if not final and not self._text[end:].lstrip():
                return
            if self._next.match(self._text, end):
                self._read_entry(self._text[:end])
                self._text, self._searched = self._text[end:], 0
            else:
                # Here the end tag stands within a value.
                self._searched = end
            if self._searched > _MAX_ENTRY_CHARACTERS:
                break
        if len(self._text) > _MAX_ENTRY_CHARACTERS:
            raise DocumentError(_TOO_LONG)

    def _read_entry(self, text: str) -> None:
        try:
            entry = f"{self._root[0]}{mended(text)}</{self._root[1]}>"
            root = parse(entry, max_bytes=4 * _MAX_ENTRY_CHARACTERS)
        except DocumentError as error:
            self._left_out.append(f"{_name_of(text)}: {error}")
            return
        for element in root:
            if element.tag == self._tag:
                self._give(element)


def _local(tag: str) -> str:
    return re.escape(tag.rpartition("}")[2])


def _closing_tag(tag: str) -> re.Pattern[str]:
    return re.compile(rf"</(?:[\w.-]+:)?{_local(tag)}\s*>")


def _name_of(text: str) -> str:
    named = _NAMED.search(text)
    return named[1].strip() if named else "an entry without an id"
