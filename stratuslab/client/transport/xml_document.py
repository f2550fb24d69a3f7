"""XML from a server that need not mean well."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DocumentError", "EntryReader", "parse"]

_MAX_PROLOG_BYTES = 16 * 1024
_MAX_ENTRY_TAGS = 25_000
_MAX_TAGS = 500_000
"""A thousand times what one VM has: an element costs some 300 bytes of memory, a tag as little as 3."""


class DocumentError(ValueError):
    """The document is not what its protocol says; the text never repeats the document."""


class _RootReached(Exception):  # noqa: N818  this one tells of success
    pass


class _DocumentType(Exception):  # noqa: N818  never leaves this module
    pass


def parse(document: bytes | str) -> Element:
    """Return the root element of a document.

    Raises :class:`DocumentError` if it is not well-formed, declares a
    document type (and with it entities) or has so many tags that it would fill the memory.
    """
    content = document.encode() if isinstance(document, str) else document
    if not content:
        raise DocumentError("it is empty")
    _root_of(content[:_MAX_PROLOG_BYTES])
    if content.count(b"<") > _MAX_TAGS or content.count(b"=") > _MAX_TAGS:
        raise DocumentError(f"it has more than {_MAX_TAGS} tags or attributes")
    parser: XMLParser[Element] = XMLParser()  # noqa: S314  without a document type there are no entities
    try:
        parser.feed(content)
        return parser.close()
    except ParseError as error:
        raise _not_well_formed(error) from None


class EntryReader:
    """Reads a document piece by piece and hands out each ``tag`` element below its root, keeping none.

    ``take`` gets an element when it is complete and must not keep it; ``roots`` are the tags that the
    document's own element may have, which is itself handed out if its tag is ``tag``. :meth:`feed` and
    :meth:`close` raise :class:`DocumentError` for what :func:`parse` refuses, and for an element that
    goes on like none of our services' does.
    """

    def __init__(self, tag: str, take: Callable[[Element], None], *, roots: frozenset[str]) -> None:
        self._tag = tag
        self._take = take
        self._roots = roots
        # An element above the root shows the tree while it grows, without an event for every element.
        builder: TreeBuilder = TreeBuilder()
        self._above_root = builder.start("document", {})
        # Without a document type there are no entities.
        self._parser: XMLParser[Element] = XMLParser(target=builder)  # noqa: S314
        self._prolog: bytes | None = b""
        self._root_is_entry = False
        self._open_tags = 0

    def feed(self, chunk: bytes | str) -> None:
        """Read the next piece of the document."""
        content = chunk.encode() if isinstance(chunk, str) else chunk
        if self._prolog is not None:
            self._prolog += content
            if len(self._prolog) < _MAX_PROLOG_BYTES:
                return
            content = self._checked_prolog(self._prolog)
        self._parse(content)

    def close(self) -> None:
        """Read what is left, and check that the document is complete."""
        if self._prolog is not None:
            if not self._prolog:
                raise DocumentError("it is empty")
            self._parse(self._checked_prolog(self._prolog))
        try:
            self._parser.close()
        except ParseError as error:
            raise _not_well_formed(error) from None
        [root] = self._above_root
        self._hand_out(self._above_root if self._root_is_entry else root, incomplete=0)

    def _checked_prolog(self, prolog: bytes) -> bytes:
        self._prolog = None
        root = _root_of(prolog[:_MAX_PROLOG_BYTES])
        if root not in self._roots:
            raise DocumentError(f"it is a <{root}>")
        self._root_is_entry = root == self._tag
        return prolog

    def _parse(self, content: bytes) -> None:
        self._open_tags += content.count(b"<")
        try:
            self._parser.feed(content)
        except ParseError as error:
            raise _not_well_formed(error) from None
        if not self._root_is_entry:
            for root in self._above_root:
                self._hand_out(root, incomplete=1)
        if self._open_tags > _MAX_ENTRY_TAGS:
            raise DocumentError("it holds a longer entry than any StratusLab cloud does")

    def _hand_out(self, parent: Element, *, incomplete: int) -> None:
        """Take the children off their parent, all but the ``incomplete`` last ones."""
        complete = parent[: len(parent) - incomplete]
        del parent[: len(complete)]
        for element in complete:
            if element.tag == self._tag:
                self._take(element)
                self._open_tags = 0


def _not_well_formed(error: ParseError) -> DocumentError:
    line, column = error.position
    return DocumentError(f"it is not well-formed XML at line {line}, column {column}")


def _root_of(prolog: bytes) -> str:
    """Return the tag of the document's own element, ``{namespace}name``, from the beginning of a document.

    Raises :class:`DocumentError` if a document type is declared before it.
    """

    def reached(name: str, _: object) -> None:
        namespace, separator, local = name.rpartition("}")
        raise _RootReached(f"{{{namespace}}}{local}" if separator else local)

    def declared(*_: object) -> None:
        raise _DocumentType

    scanner = expat.ParserCreate(namespace_separator="}")
    scanner.StartElementHandler = reached
    scanner.StartDoctypeDeclHandler = declared
    try:
        scanner.Parse(prolog, False)
    except _RootReached as root:
        return str(root)
    except _DocumentType:
        raise DocumentError(
            "it declares a document type, which no answer of a StratusLab cloud does"
        ) from None
    except expat.ExpatError as error:
        raise DocumentError(f"it is not XML at line {error.lineno}, column {error.offset}") from None
    except (ValueError, LookupError):
        raise DocumentError("it is in an encoding that no StratusLab cloud uses") from None
    raise DocumentError("it holds no element")
