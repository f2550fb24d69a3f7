"""The `system.` methods, which oned's XML-RPC library answers without OpenNebula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.requests.request import FaultCode
from stratuslab.sandbox.xmlrpc.call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratuslab.sandbox.xmlrpc.call import MethodCall, Result

_TYPES = {"s": "string", "i": "int", "b": "boolean", "A": "array"}
SYSTEM_METHODS = {
    "system.listMethods": "A",
    "system.methodExist": "bs",
    "system.methodHelp": "ss",
    "system.methodSignature": "As",
}


class Introspection:
    """Answers the `system.` methods.

    `methods` are those that it tells of, with the types of their arguments after the session.
    """

    def __init__(self, methods: Mapping[str, str]) -> None:
        self._signatures = {
            **SYSTEM_METHODS,
            **{method: f"As{arguments}" for method, arguments in methods.items()},
        }
        self._methods: dict[str, Callable[..., Result]] = {
            "system.listMethods": lambda: [*self._signatures],
            "system.methodExist": lambda method: method in self._signatures,
            "system.methodHelp": self._help,
            "system.methodSignature": self._signature,
        }

    def call(self, call: MethodCall) -> Result:
        """Answer a call; XmlRpcError if its arguments are not right."""
        expected = len(SYSTEM_METHODS[call.method]) - 1
        if len(call.parameters) != expected:
            raise _wrong_number(expected, len(call.parameters))
        if expected == 1 and not isinstance(call.parameters[0], str):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a string is not")
        return self._methods[call.method](*call.parameters)

    def _help(self, method: str) -> Result:
        self._known(method)
        return "No help is available for this method."

    def _signature(self, method: str) -> Result:
        return [[_TYPES[letter] for letter in self._known(method)]]

    def _known(self, method: str) -> str:
        try:
            return self._signatures[method]
        except KeyError:
            text = f"Method '{method}' does not exist"
            raise XmlRpcError(FaultCode.NO_SUCH_METHOD, text) from None


def refusal_of_session(method: str) -> XmlRpcError:
    """Make the fault for a method that got the session before its own arguments."""
    expected = len(SYSTEM_METHODS[method]) - 1
    return _wrong_number(expected, expected + 1)


def is_introspection(method: str) -> bool:
    """Tell whether a method is answered here."""
    return method.startswith("system.") and method in SYSTEM_METHODS


def _wrong_number(expected: int, found: int) -> XmlRpcError:
    few = " only" if found < expected else ""
    exactly = "" if found < expected else " exactly"
    return XmlRpcError(
        FaultCode.INDEX,
        f"Format string requests{exactly} {expected} items from array, but array has{few} {found} items.",
    )
