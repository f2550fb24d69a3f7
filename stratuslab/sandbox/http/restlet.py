"""What PDisk and the Marketplace take from Restlet, the Java framework of both.

Routes, content negotiation, the headers of every answer, the texts of statuses and the plain status page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from werkzeug.datastructures import MIMEAccept
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from werkzeug.wrappers import Request

HTML = "text/html"
XHTML = "application/xhtml+xml"
JSON = "application/json"
PLAIN = "text/plain"
GZIP = "application/x-gzip"
XML = "application/xml"
TEXT_XML = "text/xml"
RDF_XML = "application/rdf+xml"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_MEDIA_PARAMETER = {"html": HTML, "json": JSON, "txt": PLAIN, "gzip": GZIP, "xml": XML, "rdf": RDF_XML}

_VARY = "Accept-Charset, Accept-Encoding, Accept-Language, Accept"

_DESCRIPTIONS = {
    400: "The request could not be understood by the server due to malformed syntax",
    404: "The server has not found anything matching the request URI",
    405: "The method specified in the request is not allowed for the resource identified by the request URI",
    415: "The server is refusing to service the request because the entity of the request is in a format"
    " not supported by the requested resource for the requested method",
    500: "The server encountered an unexpected condition which prevented it from fulfilling the request",
}


class ResourceError(Exception):
    """A request that a resource refuses: an HTTP status and the text that describes it.

    Without a text it is Restlet's own for the status (400, 404, 405, 415 and 500 have one). `allowed` are the
    methods of the resource, for 405.
    """

    def __init__(self, status: int, description: str = "", *, allowed: Iterable[str] = ()) -> None:
        self.status = status
        self.description = description or _DESCRIPTIONS[status]
        self.allowed = ", ".join(allowed)
        super().__init__(f"{status}: {self.description}")


@dataclass(frozen=True)
class Route:
    """Where a path leads: the template it matches, and what stands in the place of its variables."""

    template: str
    values: tuple[str, ...]


class Router:
    """Finds the template of a path; a segment in capitals, as in `/disks/UUID`, stands for any text.

    A trailing slash makes no difference, in the template nor in the path.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        self._patterns = [(template, _pattern(template)) for template in templates]

    def route(self, path: str) -> Route | None:
        """Find the first template that matches the whole path; None if no template does."""
        for template, pattern in self._patterns:
            if match := pattern.fullmatch(path):
                return Route(template, match.groups())
        return None


def _pattern(template: str) -> re.Pattern[str]:
    segments = template.strip("/").split("/")
    return re.compile("/" + "/".join("([^/]+)" if s.isupper() else re.escape(s) for s in segments) + "/?")


@dataclass(frozen=True)
class Call:
    """One request to one resource: the URL of the service, and the values in its path."""

    request: Request
    base_url: str
    values: tuple[str, ...]


_Call = TypeVar("_Call", bound=Call)


def answer(
    resource: Mapping[str, Callable[[_Call], Response]],
    call: _Call,
    described: Callable[[Request, ResourceError], Response],
) -> Response:
    """Answer a call of a resource, given as a function for each HTTP method.

    `described` makes the answer for an error.
    """
    method = resource.get("GET" if call.request.method == "HEAD" else call.request.method)
    try:
        if method is None:
            raise ResourceError(405, allowed=resource)
        return method(call)
    except ResourceError as error:
        response = described(call.request, error)
        if error.allowed:
            response.headers["Allow"] = error.allowed
        return response


def operations(resources: Mapping[str, Iterable[str]]) -> list[str]:
    """Return all methods with the templates of their resources, as in `GET /disks/UUID`."""
    return [
        f"{method} {template}"
        for template, methods in resources.items()
        for method in (*methods, *(["HEAD"] if "GET" in methods else []))
    ]


def base_url(request: Request, path: str) -> str:
    """Return the absolute URL of the service, without a slash at its end; `path` is what follows it."""
    return request.base_url.removesuffix("/").removesuffix(path.removesuffix("/"))


def accepted(request: Request) -> MIMEAccept:
    """Return the media types that the client accepts, best first: from `?media=` or the Accept header."""
    media = _MEDIA_PARAMETER.get(request.args.get("media", ""))
    return MIMEAccept([(media, 1)]) if media else request.accept_mimetypes


def negotiated(request: Request, offered: Sequence[str]) -> str:
    """Choose among the offered media types; the first one if the client does not care or wants another."""
    return accepted(request).best_match(offered, default=offered[0])


def first_understood(request: Request, known: Sequence[str]) -> str | None:
    """Choose the media type for an error: for the client's wishes, best first, the first known type.

    So `*/*` gets the first of the known types. None if the client accepts no known type.
    """
    wishes = sorted(accepted(request), key=lambda wish: -wish[1]) or [("*/*", 1)]
    for wish, _ in wishes:
        for media_type in known:
            if fnmatchcase(media_type, wish.partition(";")[0].strip().lower()):
                return media_type
    return None


def representation(text: str, media_type: str, status: int = 200) -> Response:
    """Make an answer with a body in UTF-8 and the headers that Restlet adds."""
    return _with_headers(Response(text, status=status, content_type=f"{media_type}; charset=UTF-8"))


def file(request: Request, content: bytes, media_type: str) -> Response:
    """Make an answer with the content of a file, or of the range that is asked for."""
    response = _with_headers(Response(content, content_type=media_type))
    return response.make_conditional(request.environ, accept_ranges=True, complete_length=len(content))


def _with_headers(response: Response) -> Response:
    response.headers["Vary"] = _VARY
    response.headers["Accept-Ranges"] = "bytes"
    return response


def see_other(url: str) -> Response:
    """Answer 303: go on at another address."""
    response = representation("", HTML, status=303)
    response.headers["Location"] = url
    return response


def page(title: str, body: str) -> str:
    """Write an HTML page; the title is escaped, the body is HTML already."""
    title = escape(title)
    return (
        f"<!DOCTYPE html>\n<html>\n<head>\n<title>{title}</title>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def page_with_list(title: str, items: Iterable[str]) -> Response:
    """Answer with a page that has a list; the title is escaped, the items are HTML already."""
    body = "<ul>\n" + "\n".join(f"<li>{item}</li>" for item in items) + "\n</ul>"
    return representation(page(title, body), HTML)


def error_page(error: ResourceError) -> Response:
    """Answer with the services' own page for an error."""
    body = f"<p>{escape(error.description)}</p>"
    return representation(page(f"Error {error.status}", body), HTML, status=error.status)


def status_page(error: ResourceError) -> Response:
    """Answer with Restlet's own page for an error, whatever the client accepts."""
    body = f"<p><b>{HTTPStatus(error.status).phrase}</b></p>\n<p>{escape(error.description)}</p>"
    return representation(page("Status page", body), HTML, status=error.status)
