"""StratusLab's proxy before oned: it identifies users by HTTP."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from stratuslab.sandbox.http.jetty import method_not_allowed
from stratuslab.sandbox.opennebula.oned_server import SIZE_LIMIT
from stratuslab.sandbox.opennebula.requests.introspection import (
    is_introspection,
    refusal_of_session,
)
from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from stratuslab.sandbox.xmlrpc.formats import ApacheFormat, read_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.opennebula.oned import Oned
    from stratuslab.sandbox.xmlrpc.call import Scalar

_METHOD_NAME = re.compile(rb"<methodName>\s*([^<]*?)\s*</methodName>")
_ONED_REFUSES = "Failed to read server's response: Server returned HTTP response code: 500 for URL: http://localhost:2633/RPC2"


def operation(request: Request) -> str:
    """Return the XML-RPC method that is called; for any other request, the HTTP method and "xmlrpc"."""
    match = _METHOD_NAME.search(request.get_data())
    return match[1].decode(errors="replace") if match else f"{request.method} xmlrpc"


class OneProxy:
    """The proxy: it identifies the user by HTTP, and replaces the client's session."""

    def __init__(self, oned: Oned) -> None:
        self._oned = oned
        self._format = ApacheFormat()

    def handle(self, request: Request, user: str) -> Response:
        """Answer a request of that user."""
        if request.method != "POST":
            return method_not_allowed(request, "POST")
        body = request.get_data()
        try:
            if len(body) > SIZE_LIMIT:
                raise XmlRpcError(0, _ONED_REFUSES)
            call = read_call(body, self._format)
            if is_introspection(call.method):
                raise refusal_of_session(call.method)
            return self.answer(request, self._oned.call(call.method, call.parameters[1:], user))
        except XmlRpcError as error:
            return self.fault(request, error)

    def answer(self, request: Request, values: Sequence[Scalar]) -> Response:
        """Answer a call with the array of values that OpenNebula gives back."""
        return self._response(request, self._format.answer(values))

    def fault(self, request: Request, error: XmlRpcError) -> Response:
        """Answer a call that was not carried out."""
        return self._response(request, self._format.fault(error))

    def _response(self, request: Request, content: bytes) -> Response:
        response = Response(content, content_type="text/xml")
        if request.accept_encodings["gzip"]:
            response.data = gzip.compress(content, compresslevel=1)
            response.headers["Content-Encoding"] = "gzip"
        return response
