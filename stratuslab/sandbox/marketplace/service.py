"""The Marketplace over HTTP, with the answers of release 14.06."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING

from stratuslab.sandbox.dialect import RELEASE_14_06
from stratuslab.sandbox.http.restlet import (
    FORM,
    HTML,
    JSON,
    MULTIPART,
    PLAIN,
    RDF_XML,
    TEXT_XML,
    XML,
    Call,
    ResourceError,
    Router,
    accepted,
    answer,
    base_url,
    error_page,
    negotiated,
    operations,
    page,
    page_with_list,
    representation,
)
from stratuslab.sandbox.marketplace import rdf
from stratuslab.sandbox.marketplace.catalogue import OutdatedEntryError
from stratuslab.sandbox.marketplace.image_entry import timestamp
from stratuslab.sandbox.marketplace.metadata_query import COLUMNS, MetadataQuery, QueryError, column_of, row
from stratuslab.sandbox.marketplace.metadata_upload import InvalidMetadataError, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from werkzeug.wrappers import Request, Response

    from stratuslab.sandbox.dialect import Dialect
    from stratuslab.sandbox.marketplace.catalogue import Catalogue
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry

_XML_FAMILY = (XML, TEXT_XML, RDF_XML)
_UPLOADS = (XML, RDF_XML, MULTIPART)
_NOTHING_FOUND = "no metadata matching query found"
_PLACEHOLDERS = {"identifier": "ID", "email": "EMAIL", "created": "DATE"}
_DAY = 86_400
_UPLOAD_FORM = (
    '<form method="post" enctype="multipart/form-data">'
    '<p><input type="file" name="metadata"> <button>Upload</button></p></form>'
)


class _Call(Call):
    @property
    def wants(self) -> str:
        """XML, JSON or HTML; XML for a client that does not care."""
        wanted = negotiated(self.request, (*_XML_FAMILY, JSON, HTML))
        return XML if wanted in _XML_FAMILY else wanted


class MarketplaceService:
    """The Marketplace of one location. It needs no authentication; an upload has to be signed."""

    def __init__(self, catalogue: Catalogue, dialect: Dialect = RELEASE_14_06) -> None:
        self._catalogue = catalogue
        self._deprecated_tags = dialect.deprecated_tags
        listing: dict[str, Callable[[_Call], Response]] = {"GET": self._list, "POST": self._query}
        self._resources: dict[str, dict[str, Callable[[_Call], Response]]] = {
            "/metadata": listing,
            "/metadata/A": {"GET": self._list_or_tagged, "POST": self._query},
            "/metadata/A/B": listing,
            "/metadata/ID/EMAIL/DATE": {"GET": self._entry},
            "/tag/EMAIL/TAG": {"GET": self._tagged},
            "/endorsers": {"GET": self._endorsers},
            "/endorsers/EMAIL": {"GET": self._history},
            "/endorsers/EMAIL/tags": {"GET": self._tags},
            "/query": {"GET": self._sparql},
            "/upload": {"GET": self._upload_form, "POST": self._upload},
        }
        self._router = Router(self._resources)

    def operations(self) -> list[str]:
        """Return all that `operation` can name."""
        one = self._resources["/metadata/A"]
        kinds = _PLACEHOLDERS.values()
        by_kind = {f"/metadata/{kind}": one for kind in kinds}
        by_two = {f"/metadata/{first}/{second}": one for first in kinds for second in kinds}
        plain = {template: resource for template, resource in self._resources.items() if "/A" not in template}
        return operations({**plain, **by_kind, **by_two})

    def operation(self, method: str, path: str) -> str:
        """Name a request for a log: `GET /metadata/ID`, whatever the image and the trailing slash."""
        path = _single_slashes(path)
        route = self._router.route(path)
        if route is None:
            return f"{method} {path}"
        if route.template in ("/metadata/A", "/metadata/A/B"):
            return "/".join([f"{method} /metadata", *(_PLACEHOLDERS[column_of(v)] for v in route.values)])
        return f"{method} {route.template}"

    def handle(self, request: Request, path: str) -> Response:
        """Answer a request for `path`, which begins with a slash."""
        route = self._router.route(_single_slashes(path))
        if route is None:
            return _home()
        call = _Call(request, base_url(request, path), route.values)
        return answer(self._resources[route.template], call, _described)

    def _list(self, call: _Call) -> Response:
        parameters = call.request.args.to_dict()
        if call.wants == JSON:
            return self._table(call, parameters)
        try:
            query = MetadataQuery.of(call.values, parameters)
        except QueryError:
            raise ResourceError(500) from None
        entries = query.select(self._catalogue.entries(), self._catalogue.now()).entries
        if not entries:
            raise ResourceError(404, _NOTHING_FOUND)
        if call.wants == HTML:
            return _html_list("Metadata", ("/".join(entry.key) for entry in entries))
        documents = "".join(rdf.document(entry).removeprefix(rdf.DECLARATION) for entry in entries)
        return representation(f"{rdf.DECLARATION}<metadata>{documents}</metadata>", XML)

    def _query(self, call: _Call) -> Response:
        request = call.request
        if not request.content_length:
            raise ResourceError(400, "post with null entity")
        if request.mimetype in _UPLOADS:
            return self._upload(call)
        if request.mimetype != FORM:
            raise ResourceError(415)
        return self._table(call, {**request.args.to_dict(), **request.form.to_dict()})

    def _table(self, call: _Call, parameters: Mapping[str, str]) -> Response:
        """Answer what the DataTables script of the web pages asks; no result is not an error there."""
        message = _NOTHING_FOUND
        rows: list[list[str]] = []
        total = matching = 0
        try:
            query = MetadataQuery.of(call.values, parameters)
        except QueryError as error:
            message = f"ERROR: {error}"
        else:
            selection = query.select(self._catalogue.entries(), self._catalogue.now())
            rows = [_cells(entry) for entry in selection.entries]
            if rows:
                total, matching = selection.total, selection.matching
        echo = parameters.get("sEcho", "0")
        if not re.fullmatch(r"-?[0-9]{1,9}", echo):
            raise ResourceError(500)
        table = {
            "sEcho": int(echo),
            "iTotalRecords": total,
            "iTotalDisplayRecords": matching,
            "rMsg": message,
            "aaData": rows,
        }
        return _json(table)

    def _entry(self, call: _Call) -> Response:
        identifier, email, endorsed = call.values
        return _one(call, self._catalogue.entry(identifier, email, endorsed))

    def _list_or_tagged(self, call: _Call) -> Response:
        tag = call.request.args.get("tag")
        return self._list(call) if tag is None else self._newest(call, call.values[0], tag)

    def _tagged(self, call: _Call) -> Response:
        email, tag = call.values
        return self._newest(call, email, tag)

    def _newest(self, call: _Call, email: str, tag: str) -> Response:
        tagged = [
            entry
            for entry in self._endorsed_by(email)
            if tag in entry.alternatives and (self._deprecated_tags or not entry.deprecated)
        ]
        return _one(call, max(tagged, key=lambda entry: entry.endorsed, default=None))

    def _endorsers(self, call: _Call) -> Response:
        endorsers = dict.fromkeys(
            (entry.email, entry.subject, entry.issuer) for entry in self._catalogue.entries()
        )
        columns = ("email", "subject", "issuer")
        return _results(
            call, "Endorsers", columns, [dict(zip(columns, endorser, strict=True)) for endorser in endorsers]
        )

    def _history(self, call: _Call) -> Response:
        email = call.values[0]
        days = call.request.args.get("range", "30")
        if not re.fullmatch(r"[0-9]{1,6}", days):
            raise ResourceError(500)
        since = self._catalogue.now() - int(days) * _DAY
        results = [
            {
                "identifier": entry.identifier,
                "created": timestamp(entry.endorsed),
                "description": entry.description,
                "location": location,
                "deprecated": entry.deprecated,
                "email": entry.email,
            }
            for entry in self._endorsed_by(email)
            if entry.endorsed > since
            for location in entry.locations or (None,)
        ]
        columns = ("identifier", "created", "description", "location", "deprecated", "email")
        return _results(call, f"History for {email}", columns, results)

    def _tags(self, call: _Call) -> Response:
        email = call.values[0]
        tags = dict.fromkeys(tag for entry in self._endorsed_by(email) for tag in entry.alternatives)
        return _results(call, f"Tags of {email}", ("tag",), [{"tag": tag} for tag in tags])

    def _sparql(self, call: _Call) -> Response:
        if not call.request.args.get("query"):
            return representation("", XML, status=204)
        raise ResourceError(400, "query not allowed.")

    def _upload_form(self, _call: _Call) -> Response:
        return representation(page("Upload", _UPLOAD_FORM), HTML)

    def _upload(self, call: _Call) -> Response:
        body = _uploaded(call.request)
        try:
            entry = entry_of(body)
            self._catalogue.upload(entry)
        except InvalidMetadataError as error:
            raise ResourceError(400, f"invalid metadata: {error}") from None
        except OutdatedEntryError:
            raise ResourceError(400, "invalid metadata: older than latest entry") from None
        response = representation("metadata entry created", PLAIN, status=201)
        response.headers["Location"] = f"{call.base_url}/metadata/{'/'.join(entry.key)}"
        return response

    def _endorsed_by(self, email: str) -> list[ImageEntry]:
        return [entry for entry in self._catalogue.entries() if entry.email == email]


def _uploaded(request: Request) -> bytes:
    """Read the document, which is the body itself or the first file of a form."""
    if request.mimetype != MULTIPART:
        return request.get_data()
    with request:
        return next((part.stream.read() for part in request.files.values()), b"")


def _single_slashes(path: str) -> str:
    return re.sub("/+", "/", path)


def _cells(entry: ImageEntry) -> list[str]:
    columns = row(entry)
    texts = [columns[column] for column in COLUMNS[1:]]
    return ["", *("null" if text is None else text for text in texts)]


def _one(call: _Call, entry: ImageEntry | None) -> Response:
    if entry is None:
        raise ResourceError(404, "metadata entry not found.\n")
    if call.wants == JSON:
        return _json(rdf.statements(entry))
    if call.wants == HTML:
        return _html_list(f"Metadata {entry.identifier}", (text for text in _cells(entry) if text))
    response = representation(rdf.document(entry), RDF_XML)
    response.headers["Content-Disposition"] = f"attachment; filename={entry.identifier}.xml"
    return response


def _results(
    call: _Call, title: str, columns: Iterable[str], results: list[dict[str, str | None]]
) -> Response:
    """Answer with the results of a SPARQL query, in its XML format or as a page."""
    if call.wants == HTML:
        return _html_list(title, (", ".join(filter(None, result.values())) for result in results))
    variables = "".join(f"<variable name='{column}'/>" for column in columns)
    rows = "".join(
        "<result>"
        + "".join(
            f"<binding name='{column}'><literal>{escape(text, quote=False)}</literal></binding>"
            for column, text in result.items()
            if text is not None
        )
        + "</result>"
        for result in results
    )
    return representation(
        "<?xml version='1.0' encoding='UTF-8'?>\n<sparql xmlns='http://www.w3.org/2005/sparql-results#'>"
        f"<head>{variables}</head><results>{rows}</results></sparql>",
        XML,
    )


def _json(value: object) -> Response:
    return representation(json.dumps(value, ensure_ascii=False, separators=(",", ":")), JSON)


def _html_list(title: str, items: Iterable[str]) -> Response:
    return page_with_list(title, map(escape, items))


def _home() -> Response:
    return representation(page("StratusLab Marketplace", "<p>Metadata of machine images.</p>"), HTML)


def _described(request: Request, error: ResourceError) -> Response:
    """Describe an error in the format that the client prefers, if that is XML or JSON, else as a page."""
    best = accepted(request).best
    if best in _XML_FAMILY:
        return representation(
            f"{rdf.DECLARATION}<error>{error.description}</error>", XML, status=error.status
        )
    if best == JSON:
        text = f'{{"{error.status}" : {json.dumps(error.description)}}}'
        return representation(text, JSON, status=error.status)
    return error_page(error)
