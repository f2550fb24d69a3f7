"""oned's own XML-RPC server, at `/RPC2`: the first parameter of a call is the session."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from werkzeug.wrappers import Response

from stratuslab.sandbox.opennebula.model.users import ONEADMIN, SERVERADMIN
from stratuslab.sandbox.opennebula.requests.introspection import Introspection, is_introspection
from stratuslab.sandbox.opennebula.requests.methods import METHODS
from stratuslab.sandbox.opennebula.requests.request import Arguments
from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from stratuslab.sandbox.xmlrpc.formats import XmlRpcCFormat, read_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.http.jetty import Accounts
    from stratuslab.sandbox.opennebula.current.oned import CurrentOned
    from stratuslab.sandbox.opennebula.oned import Oned
    from stratuslab.sandbox.xmlrpc.call import MethodCall, Scalar

DRIVER_FAILURE = "stratuslab.sandbox.driver"
"""Where the environment of a request tells how the driver behind it will fail."""

SIZE_LIMIT = 512 * 1024
"""How many bytes a call to 3.2 may have."""

_ABYSS = "Xmlrpc-c_Abyss/1.33.14"
_CORE_USERS = (ONEADMIN, SERVERADMIN.login)


class OnedServer:
    """The server; `carry_out` gets a call and how its driver will fail, `methods` are those it tells of."""

    def __init__(
        self,
        carry_out: Callable[[MethodCall, str], Sequence[Scalar]],
        methods: Mapping[str, str],
        *,
        size_limit: int | None = None,
        keeps_connections: bool = True,
    ) -> None:
        self._carry_out = carry_out
        self._introspection = Introspection(methods)
        self._format = XmlRpcCFormat()
        self._size_limit = size_limit
        self._keeps_connections = keeps_connections

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        response = self._answered(request)
        response.headers["Server"] = _ABYSS
        if not self._keeps_connections:
            response.headers["Connection"] = "close"
        return response

    def _answered(self, request: Request) -> Response:
        if request.method != "POST":
            text = "POST is the only HTTP method this server understands\r\n"
            return Response(text, 405, {"Allow": "POST"})
        body = request.get_data()
        if self._size_limit is not None and len(body) > self._size_limit:
            return Response("XML-RPC call is too large\r\n", 500)
        try:
            call = read_call(body, self._format)
            if is_introspection(call.method):
                return _response(self._format.result(self._introspection.call(call)))
            return self.answer(request, self._carry_out(call, request.environ.get(DRIVER_FAILURE, "")))
        except XmlRpcError as error:
            return self.fault(request, error)

    def answer(self, _request: Request, values: Sequence[Scalar]) -> Response:
        """Answer a call with the array of values that OpenNebula gives back."""
        return _response(self._format.answer(values))

    def fault(self, _request: Request, error: XmlRpcError) -> Response:
        """Answer a call that was not carried out."""
        return _response(self._format.fault(error))


def server_of_3_2(oned: Oned, accounts: Accounts) -> OnedServer:
    """Make the server of OpenNebula 3.2, where StratusLab's driver for authentication lets strangers in."""

    def user_of(session: str) -> str | None:
        uname, colon, password = session.partition(":")
        user = unquote_plus(uname)
        if accounts.knows(user) or user in _CORE_USERS or not accounts.welcomes_strangers:
            return user if accounts.accept(user, password) else None
        return user if user and colon else None

    def carry_out(call: MethodCall, _driver: str) -> Sequence[Scalar]:
        if call.method not in METHODS:
            return oned.call(call.method, (), None)
        return oned.call(call.method, call.parameters[1:], user_of(Arguments(call.parameters).string(0)))

    return OnedServer(carry_out, METHODS, size_limit=SIZE_LIMIT)


def server_of_today(oned: CurrentOned) -> OnedServer:
    """Make the server of an OpenNebula from 5.12 on, which closes the connection after each call."""
    return OnedServer(
        lambda call, driver: oned.call(call.method, call.parameters, driver),
        oned.methods,
        keeps_connections=False,
    )


def _response(content: bytes) -> Response:
    return Response(content, content_type="text/xml; charset=utf-8")
