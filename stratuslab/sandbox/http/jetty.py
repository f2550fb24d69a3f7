"""Jetty, the server that the services run in: its error pages, and who may log in."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from secrets import compare_digest
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request

_CHALLENGE = 'basic realm="StratusLab Password Realm"'


class Accounts:
    """The users who may log in, with their passwords.

    `welcomes_strangers` means that OpenNebula itself, without the proxy, creates a user for any caller.
    """

    def __init__(self, passwords: Mapping[str, str], *, welcomes_strangers: bool) -> None:
        self._passwords = dict(passwords)
        self.welcomes_strangers = welcomes_strangers

    def knows(self, user: str) -> bool:
        """Tell whether there is a user of that name."""
        return user in self._passwords

    def accept(self, user: str | None, password: str | None) -> bool:
        """Tell whether this is the password of this user."""
        if user not in self._passwords or password is None:
            return False
        return compare_digest(self._passwords[user].encode(), password.encode())

    def user_of(self, request: Request) -> str | None:
        """Return the user whose name and password the request has; None if they are wrong."""
        authorization = request.authorization
        if authorization is None or authorization.type != "basic":
            return None
        user = authorization.username
        return user if self.accept(user, authorization.password) else None


def error_page(status: HTTPStatus, request: Request) -> Response:
    """Return Jetty's page for an error of this request."""
    page = (
        '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
        f"<title>Error {status:d} {status.phrase}</title>\n</head>\n"
        f"<body>\n<h2>HTTP ERROR: {status:d}</h2>\n"
        f"<p>Problem accessing {escape(request.path)}. Reason:\n<pre>    {status.phrase}</pre></p>\n"
        "<hr /><i><small>Powered by Jetty://</small></i>\n</body>\n</html>\n"
    )
    body = page.encode("iso-8859-1", "xmlcharrefreplace")
    return Response(body, status, content_type="text/html; charset=ISO-8859-1")


def unauthorized(request: Request) -> Response:
    """Return the answer to a request without the right name and password."""
    response = error_page(HTTPStatus.UNAUTHORIZED, request)
    response.headers["WWW-Authenticate"] = _CHALLENGE
    return response


def method_not_allowed(request: Request, allowed: str) -> Response:
    """Return the answer to a request whose HTTP method is not the one `allowed`."""
    response = error_page(HTTPStatus.METHOD_NOT_ALLOWED, request)
    response.headers["Allow"] = allowed
    return response
