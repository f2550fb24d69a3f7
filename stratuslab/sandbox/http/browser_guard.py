"""Keep pages in the user's browser away from a server on the user's machine.

Any page can have its own name resolved to 127.0.0.1 (DNS rebinding); for the browser it is then one of ours,
but the Host header still has that name. A page can also send some requests to us without asking (cross-site
request forgery), but not with the content type of JSON, and the browser says where the page is from.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_THIS_MACHINE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]*)?", re.IGNORECASE)
_HARMLESS_METHODS = ("GET", "HEAD")


def refusal(request: Request) -> Response | None:
    """Return the answer to a request from a page of another server; None if nothing says that it is one.

    Such a request names another host than this machine, or its `Origin` is not the server that is
    asked. A request without a `Host` header does not come from a browser.
    """
    host = request.headers.get("Host")
    if host is not None and not _THIS_MACHINE.fullmatch(host):
        return _refused(HTTPStatus.FORBIDDEN, "This server is only 127.0.0.1, localhost or [::1].")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2].lower() != (host or "").lower():
        return _refused(HTTPStatus.FORBIDDEN, "This is only for pages of this server.")
    return None


def refusal_of_change(request: Request) -> Response | None:
    """Return the answer to a request for a change that a page of another server may have sent."""
    if request.method in _HARMLESS_METHODS:
        return None
    if request.mimetype != "application/json":
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The Content-Type has to be application/json.")
    return None


def _refused(status: HTTPStatus, reason: str) -> Response:
    return Response(f"{reason}\n", status, content_type="text/plain; charset=utf-8")
