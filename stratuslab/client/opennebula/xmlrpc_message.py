"""XML-RPC messages: a call as bytes, and the answer of any OpenNebula from its bytes."""

from __future__ import annotations

import re
import xmlrpc.client
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import TreeBuilder
from xml.parsers import expat

from stratuslab.client.transport.xml_document import DocumentError, parse
from stratuslab.client.transport.xml_text import Cleaner

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

__all__ = ["LAST_ID", "Answer", "AnswerReader", "Fault", "encode_call", "read_answer"]

LAST_ID = 2**31 - 1
"""The largest number of a call: OpenNebula's have 32 bits."""
_VALUE_PATH = ["methodResponse", "params", "param", "value", "array", "data", "value"]
_MAX_DEPTH = 20
_MAX_TAGS = 1000
_MAX_ATTRIBUTES = 20
_MAX_TAG_BYTES = 1024 * 1024
_FLAG_CHARACTERS = 64
_BUFFER_BYTES = 8 * 1024
"""How much of a document is handed on at once. Few elements then exist at a time: thousands of them
would make Python's garbage collector look at all objects of the program."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_INTEGERS = frozenset({"i1", "i2", "i4", "i8", "int", "biginteger"})


@dataclass(frozen=True)
class Answer:
    """What the OpenNebula core answered: its value, or the text and the code of its refusal.

    ``code`` is 0 on success, and None where the release sends no codes (2.2).
    """

    ok: bool
    value: str | int | bool | None
    code: int | None


@dataclass(frozen=True)
class Fault:
    """What the XML-RPC layer before the core answered."""

    code: int
    text: str


def encode_call(method: str, arguments: tuple[str | int | bool, ...]) -> bytes:
    """Return the body of a call.

    :raises OverflowError: for a number of more than 32 bits.
    """
    return xmlrpc.client.dumps(arguments, method, encoding="utf-8").encode()


def read_answer(body: bytes) -> Answer | Fault:
    """Read the body of an answer of one to five elements, in any dialect.

    :raises DocumentError: if it is anything else.
    """
    return _answer(parse(body))


class AnswerReader:
    """Reads an answer piece by piece, and hands the document that it holds on without keeping it.

    ``document`` gets the text of the answer's second value if the first one says that all is well; that
    value is then empty in what :meth:`close` returns.

    :raises DocumentError: from :meth:`feed` and :meth:`close`, as from :func:`read_answer`.
    """

    def __init__(self, document: Callable[[str], None]) -> None:
        self._document = document
        self._cleaner = Cleaner()
        self._tree = TreeBuilder()
        self._path: list[str] = []
        self._tags = 0
        self._values = 0
        self._first = ""
        self._size = self._read_to = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.buffer_size = _BUFFER_BYTES
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._declared

    def feed(self, chunk: bytes) -> None:
        """Read the next piece of the answer."""
        self._parse(self._cleaner.feed(chunk), final=False)

    def close(self) -> Answer | Fault:
        """Return the answer, of which all must have been read."""
        self._parse(self._cleaner.close(), final=True)
        return _answer(self._tree.close())

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        self._size += len(chunk)
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise DocumentError(
                f"it is not well-formed XML at line {error.lineno}, column {error.offset}"
            ) from None
        except DocumentError:
            raise
        except (ValueError, LookupError):
            raise DocumentError("it is in an encoding that no StratusLab cloud uses") from None
        if self._size - self._read_to > _MAX_TAG_BYTES:
            raise DocumentError("it holds a longer tag or comment than any answer")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._read_to = self._parser.CurrentByteIndex
        self._path.append(tag)
        self._tags += 1
        if len(self._path) > _MAX_DEPTH:
            raise DocumentError("it nests deeper than any answer")
        if self._tags > _MAX_TAGS or len(attributes) > _MAX_ATTRIBUTES:
            raise DocumentError("it has more tags or attributes than any answer")
        if self._path == _VALUE_PATH:
            self._values += 1
        self._tree.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._path.pop()
        self._tree.end(tag)

    def _text(self, text: str) -> None:
        self._read_to = self._parser.CurrentByteIndex
        in_value = self._path[: len(_VALUE_PATH)] == _VALUE_PATH
        if in_value and self._values == 1:
            self._first = (self._first + text)[:_FLAG_CHARACTERS]
        if in_value and self._values == 2 and self._first.strip() == "1":
            self._document(text)
        else:
            self._tree.data(text)

    def _declared(self, *_: object) -> None:
        raise DocumentError("it declares a document type, which no answer does")


def _answer(root: Element) -> Answer | Fault:
    if root.tag != "methodResponse":
        raise DocumentError(f"the answer is a <{root.tag}>, not an XML-RPC answer")
    fault = root.find("fault/value/struct")
    if fault is not None:
        return _fault(fault)
    items = root.findall("params/param/value/array/data/value")
    values = [_value(item) for item in items]
    if not values or not isinstance(values[0], bool):
        raise DocumentError("the answer is not an array which begins with a boolean")
    code = values[2] if len(values) > 2 else None
    if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
        raise DocumentError("the third element of the answer is not a number")
    return Answer(values[0], values[1] if len(values) > 1 else None, code)


def _fault(struct: Element) -> Fault:
    members: dict[str, str | int | bool | None] = {}
    for member in struct.findall("member"):
        value = member.find("value")
        if value is not None:
            members[member.findtext("name", "")] = _value(value)
    code = members.get("faultCode")
    if not isinstance(code, int):
        raise DocumentError("the fault has no number")
    return Fault(code, str(members.get("faultString", "")))


def _value(value: Element) -> str | int | bool | None:
    typed = next(iter(value), None)
    if typed is None:
        return value.text or ""
    kind = typed.tag.rpartition("}")[2]
    text = typed.text or ""
    if kind == "string":
        return text
    if kind in _INTEGERS and _INTEGER.fullmatch(text.strip()):
        return int(text)
    if kind == "boolean" and text.strip() in ("0", "1"):
        return text.strip() == "1"
    if kind == "nil":
        return None
    raise DocumentError(f"the answer holds a value of the type {kind!r}")
