"""oned's XML-RPC server of a release from 5.12 on, at `/RPC2`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from stratuslab.sandbox.opennebula.requests.introspection import Introspection, is_introspection
from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from stratuslab.sandbox.xmlrpc.formats import XmlRpcCFormat, read_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.opennebula.current.oned import CurrentOned
    from stratuslab.sandbox.xmlrpc.call import MethodCall, Scalar

DRIVER_FAILURE = "stratuslab.sandbox.driver"
"""Where the environment of a request tells how the driver behind it is to fail."""

_ABYSS = "Xmlrpc-c_Abyss/1.33.14"


class CurrentOnedServer:
    """The server: the first parameter of a call is the session; each connection is closed after a call."""

    def __init__(self, oned: CurrentOned) -> None:
        self._oned = oned
        self._format = XmlRpcCFormat()

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        response = self._answered(request)
        response.headers["Server"] = _ABYSS
        response.headers["Connection"] = "close"
        return response

    def _answered(self, request: Request) -> Response:
        if request.method != "POST":
            text = "POST is the only HTTP method this server understands\r\n"
            return Response(text, 405, {"Allow": "POST"})
        driver = str(request.environ.get(DRIVER_FAILURE, ""))

        def carry_out(call: MethodCall) -> list[Scalar]:
            return self._oned.call(call.method, call.parameters, driver)

        try:
            call = read_call(request.get_data(), self._format)
            if is_introspection(call.method):
                introspection = Introspection(self._oned.methods)
                return self._response(self._format.result(introspection.call(call)))
            return self._response(self._format.answer(carry_out(call)))
        except XmlRpcError as error:
            return self.fault(request, error)

    def answer(self, _request: Request, values: Sequence[Scalar]) -> Response:
        """Answer a call with the array of values which OpenNebula gives back."""
        return self._response(self._format.answer(values))

    def fault(self, _request: Request, error: XmlRpcError) -> Response:
        """Answer a call that was not carried out."""
        return self._response(self._format.fault(error))

    def _response(self, content: bytes) -> Response:
        return Response(content, content_type="text/xml; charset=utf-8")
