"""XML-RPC as Apache's library (the one-proxy) and xmlrpc-c (oned) speak it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import DecimalException
from typing import TYPE_CHECKING, Protocol
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape
from xmlrpc.client import Error, loads

from stratuslab.sandbox.xmlrpc.call import LongInteger, MethodCall, XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratuslab.sandbox.xmlrpc.call import Result, Scalar, Value

_PARSE_FAULT = -503
_NOT_A_CALL = (Error, ValueError, TypeError, LookupError, AttributeError, DecimalException)
_LINE = "\r\n"
_LAST_BMP = "\uffff"


class Format(Protocol):
    """A way to write answers and faults."""

    def answer(self, values: Sequence[Scalar]) -> bytes:
        """Write an answer that is an array of values."""

    def fault(self, error: XmlRpcError) -> bytes:
        """Write a fault."""

    def unreadable(self, reason: str) -> XmlRpcError:
        """Make the fault for a call that cannot be read."""


def read_call(body: bytes, xml_format: Format) -> MethodCall:
    """Read a call; raises XmlRpcError if the body is not a call or has characters beyond Unicode's BMP."""
    try:
        parameters, method = loads(body, use_builtin_types=True)
    except ExpatError as error:
        raise xml_format.unreadable(str(error)) from error
    except _NOT_A_CALL as error:
        raise xml_format.unreadable("not a proper XML-RPC call") from error
    if not method:
        raise xml_format.unreadable("not a proper XML-RPC call")
    for text in _texts(parameters):
        _refuse_beyond_bmp(text)
    return MethodCall(method, tuple(parameters))


class ApacheFormat:
    """The one-proxy's format: one line, strings without a tag, the namespace of the extensions."""

    def answer(self, values: Sequence[Scalar]) -> bytes:
        """Write an answer that is an array of values."""
        items = "".join(f"<value>{self._typed(value)}</value>" for value in values)
        return self._response(
            f"<params><param><value><array><data>{items}</data></array></value></param></params>"
        )

    def fault(self, error: XmlRpcError) -> bytes:
        """Write a fault."""
        return self._response(
            "<fault><value><struct>"
            f"<member><name>faultCode</name><value><i4>{error.code:d}</i4></value></member>"
            f"<member><name>faultString</name><value>{_escaped(str(error))}</value></member>"
            "</struct></value></fault>"
        )

    def unreadable(self, reason: str) -> XmlRpcError:
        """Make the fault for a call that cannot be read."""
        return XmlRpcError(0, f"Failed to parse XML-RPC request: {reason}")

    def _response(self, content: str) -> bytes:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions">'
            f"{content}</methodResponse>"
        ).encode()

    def _typed(self, value: Scalar) -> str:
        return _escaped(value) if isinstance(value, str) else _number(value)


class XmlRpcCFormat:
    """The format of oned itself."""

    def answer(self, values: Sequence[Result]) -> bytes:
        """Write an answer that is an array of values."""
        return self.result(values)

    def result(self, result: Result) -> bytes:
        """Write an answer of any type."""
        return self._response("<params>", f"<param>{self._value(result)}</param>", "</params>")

    def fault(self, error: XmlRpcError) -> bytes:
        """Write a fault."""
        fault: Result = {"faultCode": error.code, "faultString": str(error)}
        return self._response("<fault>", self._value(fault), "</fault>")

    def unreadable(self, reason: str) -> XmlRpcError:
        """Make the fault for a call that cannot be read."""
        return XmlRpcError(_PARSE_FAULT, f"Call is not valid XML.  {reason}")

    def _response(self, *lines: str) -> bytes:
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<methodResponse>",
            *lines,
            "</methodResponse>",
            "",
        )
        return _LINE.join(envelope).encode()

    def _value(self, value: Result) -> str:
        if isinstance(value, str):
            return f"<value><string>{_escaped(value)}</string></value>"
        if isinstance(value, int):
            return f"<value>{_number(value)}</value>"
        if isinstance(value, Mapping):
            members = (
                f"<member><name>{name}</name>{_LINE}{self._value(item)}</member>"
                for name, item in value.items()
            )
            return _LINE.join(["<value><struct>", *members, "</struct></value>"])
        return _LINE.join(["<value><array><data>", *map(self._value, value), "</data></array></value>"])


def _number(value: int) -> str:
    if isinstance(value, bool):
        return f"<boolean>{value:d}</boolean>"
    if isinstance(value, LongInteger):
        return f"<i8>{value:d}</i8>"
    return f"<i4>{value:d}</i4>"


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts([*value, *value.values()])


def _refuse_beyond_bmp(text: str) -> None:
    if any(character > _LAST_BMP for character in text):
        raise XmlRpcError(
            _PARSE_FAULT,
            f"Call XML not a proper XML-RPC call.  {len(text.encode())}-byte supposed UTF-8 string"
            " is not valid UTF-8.  UTF-8 string contains a character not in the Basic Multilingual Plane"
            " (first byte 0xfffffff0)",
        )
