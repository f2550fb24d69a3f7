"""XML from a server that may be hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError, XMLParser
from xml.parsers import expat

from stratuslab.client.transport.xml_text import is_utf_8, mended

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["MAX_DOCUMENT_BYTES", "MAX_PROLOG_BYTES", "DocumentError", "not_well_formed", "parse", "root_of"]

MAX_PROLOG_BYTES = 16 * 1024
"""The root element has to begin within this length."""
MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
"""What is held whole is held as bytes, as text and as a tree, and some of it twice."""
_MAX_TAGS = 500_000
"""A thousand times what one VM has: an element costs some 300 bytes of memory, a tag as little as 3."""


class DocumentError(ValueError):
    """The document is not what its protocol says; the text never repeats the document."""


class _RootReached(Exception):  # noqa: N818  this one tells of success
    pass


class _DocumentType(Exception):  # noqa: N818  never leaves this module
    pass


def parse(document: bytes | str, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> Element:
    """Return the root element of a document.

    What XML cannot hold is read as U+FFFD.

    :raises DocumentError: if the document is not well-formed, declares a document type (and with it
        entities), or is longer or has more tags than the memory is to hold.
    """
    content = document.encode() if isinstance(document, str) else document
    if not content:
        raise DocumentError("it is empty")
    root_of(content[:MAX_PROLOG_BYTES])
    if content.count(b"<") > _MAX_TAGS or content.count(b"=") > _MAX_TAGS:
        raise DocumentError(f"it has more than {_MAX_TAGS} tags or attributes")
    if len(content) > max_bytes:
        raise DocumentError(f"it is longer than {max_bytes >> 20} MiB")
    try:
        return _tree_of(content)
    except ParseError as error:
        if not is_utf_8(content):
            raise not_well_formed(error) from None
    try:
        return _tree_of(mended(content.decode("utf-8", "replace")).encode())
    except ParseError as error:
        raise not_well_formed(error) from None


def _tree_of(content: bytes) -> Element:
    parser: XMLParser[Element] = XMLParser()  # noqa: S314  without a document type there are no entities
    parser.feed(content)
    return parser.close()


def not_well_formed(error: ParseError) -> DocumentError:
    """Return the error for what the parser refused."""
    line, column = error.position
    return DocumentError(f"it is not well-formed XML at line {line}, column {column}")


def root_of(prolog: bytes) -> str:
    """Return the tag of the document's own element, ``{namespace}name``, from the beginning of a document.

    :raises DocumentError: if a document type is declared before it.
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
