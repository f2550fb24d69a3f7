"""The page at `/`, for people: what is in the clouds and what was asked of them.

It needs no JavaScript; with JavaScript, it brings itself up to date. It loads nothing, not even from this
server.
"""

from __future__ import annotations

import hashlib
import itertools
from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup
from werkzeug.wrappers import Response

from stratuslab.sandbox.http.jetty import method_not_allowed
from stratuslab.sandbox.location import Location
from stratuslab.sandbox.web.html_parts import Row, moment, table
from stratuslab.sandbox.web.opennebula import opennebula_tables
from stratuslab.sandbox.web.tables import image_rows, image_table, request_table, volume_table
from stratuslab.sandbox.web.vms import vm_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.http.request_log import RequestLog
    from stratuslab.sandbox.opennebula_location import OpenNebulaLocation

_ROWS = 100
_REQUEST_ROWS = 30
_METHODS = ("GET", "HEAD")
_HEADINGS = ("Location", "Compute", "PDisk", "Marketplace")
_CODE = Markup("<code>{}</code>")


def _source(name: str) -> str:
    return files("stratuslab.sandbox.web").joinpath(name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


_STYLE = _source("page.css")
_SCRIPT = _source("page.js")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; img-src data:; style-src {_digest(_STYLE)}; script-src {_digest(_SCRIPT)};"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = Markup(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>StratusLab sandbox</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the clouds</a>
<header>
<h1>StratusLab on this machine</h1>
<p>A sandbox: everything here is made up, and nothing leaves this machine.</p>
</header>
<div class="bar">
<nav aria-label="On this page"><ul>{links}</ul></nav>
<div class="freshness">
<span id="now">As of {now} UTC</span>
<button type="button" id="live" aria-pressed="true" hidden>Live updates</button>
<a href="/">Refresh</a>
</div>
</div>
<p id="notice" role="status"></p>
<main id="main" tabindex="-1">
<section id="locations" aria-labelledby="locations-title">
<h2 id="locations-title">Locations</h2>
{locations}
<h3>How to connect</h3>
<pre><code>{connect}</code></pre>
</section>
{clouds}
<section id="log" aria-labelledby="log-title">
<h2 id="log-title">Requests</h2>
{requests}
</section>
</main>
<script>{script}</script>
</body>
</html>
"""
)
_LINK = Markup('<li><a href="#{}">{}</a></li>')
_CLOUD = Markup(
    """\
<section id="location-{name}" aria-labelledby="title-{name}">
<h2 id="title-{name}">{name}</h2>
{tables}
</section>
"""
)


_SAME = Markup('<p>Images: the same as at <a href="#images-{}-caption">{}</a>.</p>')


class WebPage:
    """The page: of each location at most a hundred VMs, volumes and images, and the last requests.

    Images that are the same at several locations are shown once. `connect` are the lines with which a
    client begins.
    """

    def __init__(
        self,
        locations: Sequence[Location | OpenNebulaLocation],
        request_log: RequestLog,
        connect: Sequence[str],
    ) -> None:
        self._locations = locations
        self._connect = connect
        self._request_log = request_log

    def handle(self, request: Request) -> Response:
        """Answer a request for the page."""
        if request.method not in _METHODS:
            return method_not_allowed(request, ", ".join(_METHODS))
        return Response(self._document(request.host_url), headers=_HEADERS, mimetype="text/html")

    def _document(self, url: str) -> str:
        names = [location.name for location in self._locations]
        rows = [_row(location, url) for location in self._locations]
        links = {"locations": "Locations", **{f"location-{name}": name for name in names}, "log": "Requests"}
        return _PAGE.format(
            style=Markup(_STYLE),  # noqa: S704 - our own
            script=Markup(_SCRIPT),  # noqa: S704 - our own
            links=Markup().join(itertools.starmap(_LINK.format, links.items())),
            now=moment(self._locations[0].clock.now()),
            locations=table("services", "Services of each location", _HEADINGS, rows, ""),
            connect="\n".join(self._connect),
            clouds=Markup().join(self._clouds()),
            requests=request_table(self._request_log.newest(_REQUEST_ROWS)),
        )

    def _clouds(self) -> Iterator[Markup]:
        shown: dict[str, list[Row]] = {}
        for location in self._locations:
            name = location.name
            if isinstance(location, Location):
                rows = image_rows(name, location.catalogue.entries()[:_ROWS], location.catalogue.now())
                other = next((other for other in shown if _cells(shown[other]) == _cells(rows)), None)
                shown[name] = rows
                images = image_table(name, rows) if other is None else _SAME.format(other, other)
                tables = [*_tables(location), images]
            else:
                tables = [*opennebula_tables(location, _ROWS)]
            yield _CLOUD.format(name=name, tables=Markup().join(tables))


def _cells(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return [(row.heading, *row.cells) for row in rows]


def _row(location: Location | OpenNebulaLocation, url: str) -> Row:
    services = [_CODE.format(service) for service in location.endpoints(url.rstrip("/")).values()]
    none: list[Markup | str] = [""] * (len(_HEADINGS) - 1 - len(services))
    return Row(f"services-{location.name}", location.name, [*services, *none])


def _tables(location: Location) -> Sequence[Markup]:
    disks = location.disks
    vms = location.oned.newest_documents(_ROWS)  # first: this carries out what is due, also with disks
    with disks.lock:
        shown = [disk for disk in disks.disks() if not disk.quarantine][:_ROWS]
        volumes = [(disk, disks.mounts(disk.uuid)) for disk in shown]
    return (
        vm_table(location.name, vms, location.oned.waiting()),
        volume_table(location.name, volumes),
    )
