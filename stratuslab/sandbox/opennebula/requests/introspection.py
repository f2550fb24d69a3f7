"""What oned's XML-RPC library answers by itself, of which OpenNebula knows nothing: the `system.` methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.requests.methods import METHODS
from stratuslab.sandbox.opennebula.requests.request import FaultCode
from stratuslab.sandbox.xmlrpc.call import MethodCall, XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratuslab.sandbox.xmlrpc.call import Result, Value

_TYPES = {"s": "string", "i": "int", "b": "boolean", "A": "array", "S": "struct"}
_SIGNATURES = {
    "system.listMethods": "A",
    "system.methodExist": "bs",
    "system.methodHelp": "ss",
    "system.methodSignature": "As",
    "system.multicall": "AA",
    "system.shutdown": "is",
    "system.capabilities": "S",
    "system.getCapabilities": "S",
}
_MULTICALL = "system.multicall"


class Introspection:
    """Answers the `system.` methods; `carry_out` is what becomes of the calls inside of a multicall.

    `methods` are those that it tells of, with the types of their arguments after the session.
    """

    def __init__(
        self, carry_out: Callable[[MethodCall], Result], methods: Mapping[str, str] = METHODS
    ) -> None:
        self._carry_out = carry_out
        self._signatures = {
            **_SIGNATURES,
            **{method: f"As{arguments}" for method, arguments in methods.items()},
        }
        self._methods: dict[str, Callable[..., Result]] = {
            "system.shutdown": _shutdown,
            "system.listMethods": lambda: [*self._signatures],
            "system.methodExist": lambda method: method in self._signatures,
            "system.methodHelp": self._help,
            "system.methodSignature": self._signature,
            _MULTICALL: self._multicall,
            "system.capabilities": _capabilities,
            "system.getCapabilities": _introspection_capability,
        }

    def call(self, call: MethodCall) -> Result:
        """Answer a call; XmlRpcError if its arguments are not right."""
        expected = len(_SIGNATURES[call.method]) - 1
        if len(call.parameters) != expected:
            raise _wrong_number(expected, len(call.parameters))
        if expected == 1 and call.method != _MULTICALL and not isinstance(call.parameters[0], str):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be a string is not")
        return self._methods[call.method](*call.parameters)

    def _multicall(self, calls: Value) -> Result:
        if not isinstance(calls, list):
            raise XmlRpcError(FaultCode.TYPE, "Parameter that is supposed to be array is not")
        return [self._part(part) for part in calls]

    def _part(self, part: Value) -> Result:
        try:
            return [self._carry_out(_call_in(part))]
        except XmlRpcError as error:
            return {"faultCode": error.code, "faultString": str(error)}

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
    """Make the fault for a method which was given the session before its own arguments."""
    expected = len(_SIGNATURES[method]) - 1
    return _wrong_number(expected, expected + 1)


def is_introspection(method: str) -> bool:
    """Tell whether this is one of the methods which are answered here."""
    return method.startswith("system.") and method in _SIGNATURES


def _call_in(part: Value) -> MethodCall:
    match part:
        case {"methodName": str(method), "params": [*parameters]}:
            if method == _MULTICALL:
                raise XmlRpcError(FaultCode.REQUEST_REFUSED, "Recursive system.multicall forbidden")
            return MethodCall(method, tuple(parameters))
    raise XmlRpcError(FaultCode.TYPE, "A call in a multicall is a struct of methodName and params")


def _shutdown(_comment: str) -> Result:
    raise XmlRpcError(FaultCode.REQUEST_REFUSED, "The sandbox does not do this.")


def _capabilities() -> Result:
    version = {"version_major": 1, "version_minor": 33, "version_point": 14}
    return {"facility": "xmlrpc-c", **version, "protocol_version": 2}


def _introspection_capability() -> Result:
    url = "http://xmlrpc-c.sourceforge.net/xmlrpc-c/introspection.html"
    return {"introspect": {"specUrl": url, "specVersion": 1}}


def _wrong_number(expected: int, found: int) -> XmlRpcError:
    few = " only" if found < expected else ""
    exactly = "" if found < expected else " exactly"
    return XmlRpcError(
        FaultCode.INDEX,
        f"Format string requests{exactly} {expected} items from array, but array has{few} {found} items.",
    )
