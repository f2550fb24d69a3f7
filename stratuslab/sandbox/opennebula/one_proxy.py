"""The compute service over HTTP: oned's own XML-RPC server, and StratusLab's proxy before it."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from stratuslab.sandbox.http.jetty import method_not_allowed
from stratuslab.sandbox.opennebula.model.users import ONEADMIN, SERVERADMIN, login
from stratuslab.sandbox.opennebula.requests.introspection import (
    Introspection,
    is_introspection,
    refusal_of_session,
)
from stratuslab.sandbox.opennebula.requests.methods import METHODS
from stratuslab.sandbox.opennebula.requests.request import Arguments
from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from stratuslab.sandbox.xmlrpc.formats import ApacheFormat, XmlRpcCFormat, read_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.http.jetty import Accounts
    from stratuslab.sandbox.opennebula.oned import Oned
    from stratuslab.sandbox.xmlrpc.call import MethodCall, Scalar

_METHOD_NAME = re.compile(rb"<methodName>\s*([^<]*?)\s*</methodName>")
_SIZE_LIMIT = 512 * 1024
_ABYSS = "Xmlrpc-c_Abyss/1.33.14"
_CORE_USERS = (ONEADMIN, SERVERADMIN.login)
_ONED_REFUSES = "Failed to read server's response: Server returned HTTP response code: 500 for URL: http://localhost:2633/RPC2"


def operation(request: Request) -> str:
    """Return the XML-RPC method that is called; for any other request, the HTTP method and "xmlrpc"."""
    match = _METHOD_NAME.search(request.get_data())
    return match[1].decode(errors="replace") if match else f"{request.method} xmlrpc"


class OneProxy:
    """The proxy: it identifies the user by HTTP and replaces the client's session with its own."""

    def __init__(self, oned: Oned) -> None:
        self._oned = oned
        self._format = ApacheFormat()

    def handle(self, request: Request, user: str) -> Response:
        """Answer a request of that user."""
        if request.method != "POST":
            return method_not_allowed(request, "POST")
        body = request.get_data()
        try:
            if len(body) > _SIZE_LIMIT:
                raise XmlRpcError(0, _ONED_REFUSES)
            call = read_call(body, self._format)
            if is_introspection(call.method):
                raise refusal_of_session(call.method)
            return self.answer(request, self._oned.call(call.method, call.parameters[1:], user))
        except XmlRpcError as error:
            return self.fault(request, error)

    def answer(self, request: Request, values: Sequence[Scalar]) -> Response:
        """Answer a call with the array of values which OpenNebula gives back."""
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


class OnedServer:
    """oned's own server: the first parameter of a call is the session, `user:password`."""

    def __init__(self, oned: Oned, accounts: Accounts) -> None:
        self._oned = oned
        self._accounts = accounts
        self._format = XmlRpcCFormat()
        self._introspection = Introspection()

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        response = self._answered(request)
        response.headers["Server"] = _ABYSS
        return response

    def _answered(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(
                "POST is the only HTTP method this server understands\r\n", 405, {"Allow": "POST"}
            )
        body = request.get_data()
        if len(body) > _SIZE_LIMIT:
            return Response("XML-RPC call is too large\r\n", 500)
        try:
            call = read_call(body, self._format)
            if is_introspection(call.method):
                return self._response(self._format.result(self._introspection.call(call)))
            return self._response(self._format.answer(self._carried_out(call)))
        except XmlRpcError as error:
            return self.fault(request, error)

    def _carried_out(self, call: MethodCall) -> list[Scalar]:
        if call.method not in METHODS:
            return self._oned.call(call.method, (), None)
        session = Arguments(call.parameters).string(0)
        return self._oned.call(call.method, call.parameters[1:], self._user(session))

    def answer(self, _request: Request, values: Sequence[Scalar]) -> Response:
        """Answer a call with the array of values which OpenNebula gives back."""
        return self._response(self._format.answer(values))

    def fault(self, _request: Request, error: XmlRpcError) -> Response:
        """Answer a call that was not carried out."""
        return self._response(self._format.fault(error))

    def _response(self, content: bytes) -> Response:
        return Response(content, content_type="text/xml; charset=utf-8")

    def _user(self, session: str) -> str | None:
        """Return the login name of a valid session; None for any other.

        StratusLab's driver for authentication accepts unknown users, with any password.
        """
        uname, colon, password = session.partition(":")
        user = login(uname)
        if self._accounts.knows(user) or user in _CORE_USERS or not self._accounts.welcomes_strangers:
            return user if self._accounts.accept(user, password) else None
        return user if user and colon else None
