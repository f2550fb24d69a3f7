"""The WSGI application: which request goes to which service of which location."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from stratuslab.sandbox.control import CONTROL
from stratuslab.sandbox.http import browser_guard, client_certificate
from stratuslab.sandbox.http.connection_cut import is_unanswered
from stratuslab.sandbox.http.jetty import error_page, unauthorized
from stratuslab.sandbox.http.request_log import LoggedRequest
from stratuslab.sandbox.location import Location
from stratuslab.sandbox.marketplace.service import MarketplaceService
from stratuslab.sandbox.opennebula import one_proxy
from stratuslab.sandbox.opennebula.one_proxy import OneProxy
from stratuslab.sandbox.opennebula.oned_server import server_of_3_2, server_of_today
from stratuslab.sandbox.pdisk.service import DiskService
from stratuslab.sandbox.web.page import WebPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.wrappers import Response

    from stratuslab.sandbox.control import Control
    from stratuslab.sandbox.dialect import Dialect
    from stratuslab.sandbox.faults.active_faults import Faults
    from stratuslab.sandbox.faults.injection import FaultInjector
    from stratuslab.sandbox.http.jetty import Accounts
    from stratuslab.sandbox.http.request_log import RequestLog
    from stratuslab.sandbox.opennebula.oned_server import OnedServer
    from stratuslab.sandbox.opennebula_location import OpenNebulaLocation

_FRONT_END = "nginx/1.0.15"
_NOTHING: tuple[list[str], ...] = ([], [""])


@dataclass(frozen=True)
class _Visit:
    """A request that has found its service."""

    service: str
    operation: str
    answer: Callable[[], Response]
    compute: OneProxy | OnedServer | None = None


class Application:
    """All locations, each below its name: `/LOCATION/one-proxy/…`, `/LOCATION/pdisk/…` and so on.

    A page for people is at `/`, the control, for programs, is below `/_sandbox/`.
    """

    def __init__(
        self,
        locations: Iterable[Location | OpenNebulaLocation],
        accounts: Accounts,
        request_log: RequestLog,
        faults: Faults,
        injector: FaultInjector,
        control: Control,
        dialect: Dialect,
        connect: Sequence[str],
    ) -> None:
        locations = list(locations)
        self._sites = {
            location.name: _Site(location, accounts, dialect)
            if isinstance(location, Location)
            else _OpenNebulaSite(location)
            for location in locations
        }
        self._web_page = WebPage(locations, request_log, connect)
        self._request_log = request_log
        self._faults = faults
        self._injector = injector
        self._control = control

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request and, if it is for a service, record it."""
        request = Request(environ)
        refusal = browser_guard.refusal(request)
        if refusal is not None:
            return refusal(environ, start_response)
        if request.path == "/":
            return self._web_page.handle(request)(environ, start_response)
        location, _, path = request.path.lstrip("/").partition("/")
        if location == CONTROL:
            return self._control.handle(request)(environ, start_response)
        arrival = self._request_log.arrival()
        site = self._sites.get(location)
        visit = site.visit(request, path.split("/")) if site else None
        if visit is None:
            return error_page(HTTPStatus.NOT_FOUND, request)(environ, start_response)
        faults = self._faults.strike(visit.service, visit.operation, location)
        response = self._injector.answer(
            faults, request, partial(_carried_out, visit, environ), visit.compute
        )
        response.headers.setdefault("Server", _FRONT_END)
        self._request_log.record(
            arrival,
            LoggedRequest(
                visit.service,
                visit.operation,
                location,
                0 if is_unanswered(environ) else response.status_code,
                int(environ["REMOTE_PORT"]),
                tuple(map(str, faults)),
            ),
        )
        return response(environ, start_response)


def _carried_out(visit: _Visit, environ: WSGIEnvironment) -> Response:
    try:
        return visit.answer()
    except HTTPException as error:
        return error.get_response(environ)


class _Site:
    """The services of one location, and the login before them."""

    def __init__(self, location: Location, accounts: Accounts, dialect: Dialect) -> None:
        self._location = location
        self._accounts = accounts
        self._one_proxy = OneProxy(location.oned)
        self._oned_server = server_of_3_2(location.oned, accounts)
        self._disk_service = DiskService(location.disks, dialect)
        self._marketplace_service = MarketplaceService(location.catalogue, dialect)

    def visit(self, request: Request, segments: Sequence[str]) -> _Visit | None:
        """Find the service that a path below the location belongs to."""
        self._location.oned.advance()
        match segments:
            case ["one-proxy", ("pswd" | "cert") as way, "xmlrpc", *rest] if rest in _NOTHING:
                answer = self._behind_login(way, request, lambda user: self._one_proxy.handle(request, user))
                return _Visit("compute", one_proxy.operation(request), answer, self._one_proxy)
            case ["RPC2", *rest] if rest in _NOTHING:
                server = self._oned_server
                operation = one_proxy.operation(request)
                return _Visit("compute", operation, lambda: server.handle(request), server)
            case ["pdisk", ("pswd" | "cert") as way, *rest]:
                path = "/" + "/".join(rest)
                pdisk = self._disk_service
                answer = self._behind_login(way, request, lambda user: pdisk.handle(request, path, user))
                return _Visit("pdisk", pdisk.operation(request.method, path), answer)
            case ["marketplace", *rest]:
                path = "/" + "/".join(rest)
                marketplace = self._marketplace_service
                return _Visit(
                    "marketplace",
                    marketplace.operation(request.method, path),
                    lambda: marketplace.handle(request, path),
                )
        return None

    def _behind_login(
        self, way: str, request: Request, answer: Callable[[str], Response]
    ) -> Callable[[], Response]:
        def checked() -> Response:
            if way == "cert":
                user = client_certificate.user_of(request)
                return error_page(HTTPStatus.FORBIDDEN, request) if user is None else answer(user)
            user = self._accounts.user_of(request)
            return unauthorized(request) if user is None else answer(user)

        return checked


class _OpenNebulaSite:
    """The one service of an OpenNebula of today."""

    def __init__(self, location: OpenNebulaLocation) -> None:
        self._location = location
        self._server = server_of_today(location.oned)

    def visit(self, request: Request, segments: Sequence[str]) -> _Visit | None:
        """Find the service that a path below the location belongs to."""
        self._location.oned.advance()
        match segments:
            case ["RPC2", *rest] if rest in _NOTHING:
                operation = one_proxy.operation(request)
                return _Visit("compute", operation, lambda: self._server.handle(request), self._server)
        return None
