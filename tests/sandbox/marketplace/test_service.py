from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.sandbox.marketplace.catalogue import Catalogue
from stratuslab.sandbox.marketplace.service import MarketplaceService
from tests.sandbox.conftest import HTML, JSON, XML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.wrappers import Request, Response

    from stratuslab.sandbox import Clock
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry
    from tests.sandbox.conftest import Http


ANY = {"Accept": "*/*"}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IDENTIFIER = f"{RDF}Description/{{http://purl.org/dc/terms/}}identifier"
EMAIL = ".//{http://mp.stratuslab.eu/slreq#}email"
NOTHING = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?><error>no metadata matching query found</error>'
)
UNEXPECTED = "The server encountered an unexpected condition which prevented it from fulfilling the request"


def listed(
    market: Http, path: str, headers: dict[str, str] | None = None
) -> list[tuple[str | None, str | None]]:
    """(identifier, endorser) of each entry in the list at a path."""
    answer = market.get(path, headers=XML if headers is None else headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/xml; charset=UTF-8"
    root = ET.fromstring(answer.content)
    assert root.tag == "metadata"
    assert {child.tag for child in root} == {f"{RDF}RDF"}
    return [(child.findtext(IDENTIFIER), child.findtext(EMAIL)) for child in root]


def pairs(entries: Iterable[ImageEntry]) -> list[tuple[str, str]]:
    return [(entry.identifier, entry.email) for entry in entries]


@pytest.fixture
def valid(catalogue: Catalogue, clock: Clock) -> list[ImageEntry]:
    return [entry for entry in catalogue.entries() if entry.valid_at(clock.now())]


@pytest.fixture
def expired(catalogue: Catalogue, clock: Clock) -> ImageEntry:
    (entry,) = [entry for entry in catalogue.entries() if entry.expired_at(clock.now())]
    return entry


@pytest.fixture
def deprecated(catalogue: Catalogue) -> ImageEntry:
    (entry,) = [entry for entry in catalogue.entries() if entry.deprecated]
    return entry


def test_the_list_holds_valid_entries_of_every_endorser(market: Http, valid: list[ImageEntry]) -> None:
    assert listed(market, "/metadata") == pairs(valid)
    assert len({identifier for identifier, _ in pairs(valid)}) == len(valid) - 1


@pytest.mark.parametrize("headers", [ANY, {"Accept": None}, {"Accept": "text/xml"}, {"Accept": "image/png"}])
@pytest.mark.parametrize("path", ["/metadata", "/metadata/", "//metadata//"])
def test_xml_is_the_default(
    market: Http, valid: list[ImageEntry], path: str, headers: dict[str, Any]
) -> None:
    assert listed(market, path, headers) == pairs(valid)


def test_the_wrapper_holds_documents_without_declarations(market: Http) -> None:
    text = market.get("/metadata", headers=ANY).text
    declaration = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    assert text.startswith(f"{declaration}<metadata><rdf:RDF xmlns:")
    assert text.endswith("</rdf:RDF></metadata>")
    assert text.count("<?xml") == 1


def test_headers_are_for_no_cache(market: Http) -> None:
    headers = market.get("/metadata", headers=XML).headers
    assert headers["Vary"] == "Accept-Charset, Accept-Encoding, Accept-Language, Accept"
    assert headers["Accept-Ranges"] == "bytes"
    assert not {"ETag", "Last-Modified", "Cache-Control"} & set(headers)


def test_a_changed_entry_is_written_anew(market: Http, catalogue: Catalogue, valid: list[ImageEntry]) -> None:
    market.get("/metadata", headers=XML)
    catalogue.add(replace(valid[1], title="quite another title"))
    assert "quite another title" in market.get("/metadata", headers=XML).text


@pytest.mark.parametrize(
    "path",
    ["/metadata/{}", "/metadata/{}/", "/metadata?identifier={}", "/metadata/{}?media=xml"],
)
def test_one_image(market: Http, valid: list[ImageEntry], path: str) -> None:
    last = valid[-1]
    assert listed(market, path.format(last.identifier)) == pairs([last])
    assert listed(market, path.format(valid[0].identifier)) == pairs(valid[:2])


def test_segments_are_told_apart_by_their_shape(market: Http, valid: list[ImageEntry]) -> None:
    first, second = valid[:2]
    for path in (
        f"/metadata/{second.identifier}/{second.email}",
        f"/metadata/{second.email}/{second.identifier}",
        f"/metadata/{second.email}",
        f"/metadata?email={second.email}",
        f"/metadata?identifier={second.email}",
        f"/metadata/{second.key[2]}/{second.identifier}",
    ):
        assert listed(market, path) == pairs([second])
    assert listed(market, f"/metadata?created={first.key[2]}") == pairs([first])


def test_only_the_latest_entry_counts_unless_a_date_is_named(
    market: Http, catalogue: Catalogue, valid: list[ImageEntry]
) -> None:
    entry = valid[2]
    renewed = replace(entry, endorsed=entry.endorsed + 60, deprecated="replaced")
    catalogue.add(renewed)
    assert market.get(f"/metadata/{entry.identifier}", headers=XML).status_code == 404
    assert listed(market, f"/metadata/{entry.identifier}?status=all") == pairs([renewed])
    assert listed(market, f"/metadata/{entry.identifier}/{entry.key[2]}") == pairs([entry])


def test_status(market: Http, catalogue: Catalogue, expired: ImageEntry, deprecated: ImageEntry) -> None:
    assert listed(market, "/metadata?status=expired") == pairs([expired])
    assert listed(market, "/metadata?status=deprecated") == pairs([deprecated])
    assert listed(market, "/metadata?status=all") == pairs(catalogue.entries())
    catalogue.expire(deprecated.identifier)
    assert listed(market, "/metadata?status=expired") == pairs([expired])


def test_expired_and_deprecated_images_are_only_found_by_status(
    market: Http, expired: ImageEntry, deprecated: ImageEntry
) -> None:
    for entry in (expired, deprecated):
        answer = market.get(f"/metadata/{entry.identifier}", headers=XML)
        assert (answer.status_code, answer.text) == (404, NOTHING)
        assert listed(market, f"/metadata/{entry.identifier}?status=all") == pairs([entry])


def test_an_image_expires_with_the_clock(
    market: Http, catalogue: Catalogue, clock: Clock, valid: list[ImageEntry]
) -> None:
    catalogue.add(replace(valid[-1], valid=clock.now() + 10))
    path = f"/metadata/{valid[-1].identifier}"
    assert market.get(path, headers=XML).status_code == 200
    clock.step(11)
    assert market.get(path, headers=XML).status_code == 404


def test_location(market: Http, catalogue: Catalogue, valid: list[ImageEntry]) -> None:
    pdisk = [entry for entry in valid if entry.locations[0].startswith("pdisk:")]
    assert listed(market, "/metadata?location=pdisk") == pairs(pdisk)
    web = [entry for entry in valid if entry not in pdisk]
    assert listed(market, "/metadata?location=web") == pairs(web)
    assert listed(market, "/metadata?location=all") == pairs(valid)
    catalogue.add(replace(pdisk[0], locations=()))
    assert pairs(pdisk)[0] in listed(market, "/metadata?location=web")


def test_pages_are_sorted(market: Http, valid: list[ImageEntry]) -> None:
    newest = sorted(valid, key=lambda entry: entry.endorsed, reverse=True)
    page = "/metadata?iDisplayStart={}&iDisplayLength=3&sSortDir_0={}"
    assert listed(market, page.format(0, "desc")) == pairs(newest[:3])
    assert listed(market, page.format(3, "desc")) == pairs(newest[3:6])
    assert listed(market, page.format(0, "asc")) == pairs(newest[::-1][:3])
    by_title = sorted(valid, key=lambda entry: entry.title or "")
    assert listed(market, page.format(0, "asc") + "&iSortCol_0=10") == pairs(by_title[:3])
    assert market.get(page.format(50, "asc"), headers=XML).status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [
        "iDisplayStart=0&iDisplayLength=5",
        "iDisplayStart=0&iDisplayLength=5&sSortDir_0=up",
        "iDisplayStart=x&iDisplayLength=5&sSortDir_0=asc",
        "iDisplayStart=0&iDisplayLength=5&sSortDir_0=asc&iSortCol_0=11",
        "iDisplayStart=0&iDisplayLength=5&sSortDir_0=asc&iSortCol_0=0",
        "identifier=%22",
        "sSearch=%22",
        "sSearch=(",
    ],
)
def test_queries_the_store_does_not_understand(market: Http, parameters: str) -> None:
    answer = market.get(f"/metadata?{parameters}", headers=XML)
    assert answer.status_code == 500
    assert ET.fromstring(answer.content).text == UNEXPECTED
    table = market.get(f"/metadata?{parameters}", headers=JSON)
    assert table.status_code == 200
    assert table.json()["rMsg"].startswith("ERROR: ")
    assert table.json()["aaData"] == []


def test_search(market: Http, valid: list[ImageEntry]) -> None:
    def found(parameters: str) -> list[tuple[str | None, str | None]]:
        return listed(market, f"/metadata?{parameters}")

    assert found("sSearch=UBUNTU") == pairs(entry for entry in valid if entry.os == "Ubuntu")
    assert found("sSearch=centos+6.5") == pairs(entry for entry in valid if entry.os == "CentOS")
    assert found("sSearch_1=^cent") == pairs(entry for entry in valid if entry.os == "CentOS")
    assert found("sSearch_5=disk") == pairs(entry for entry in valid if entry.kind == "disk")
    assert found("sSearch_4=bob@") == pairs(entry for entry in valid if entry.email.startswith("bob"))
    assert market.get("/metadata?sSearch_1=plan9", headers=XML).status_code == 404


def test_the_table(market: Http, valid: list[ImageEntry]) -> None:
    answer = market.get("/metadata?sEcho=7&sSearch=tiny", headers=JSON)
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    table = answer.json()
    assert list(table) == ["sEcho", "iTotalRecords", "iTotalDisplayRecords", "rMsg", "aaData"]
    assert (table["sEcho"], table["iTotalRecords"], table["iTotalDisplayRecords"]) == (7, len(valid), 2)
    entry = valid[0]
    assert table["aaData"][0] == [
        "",
        "ttylinux",
        "14.1",
        "x86_64",
        entry.email,
        "machine",
        entry.key[2],
        entry.identifier,
        entry.locations[0],
        entry.description,
        entry.title,
    ]


def test_the_table_says_null_for_what_is_missing(market: Http, valid: list[ImageEntry]) -> None:
    rows = market.get("/metadata", headers=JSON).json()["aaData"]
    titles = {row[7]: row[10] for row in rows}
    untitled = [entry for entry in valid if entry.title is None]
    assert untitled
    assert all(titles[entry.identifier] == "null" for entry in untitled)


def test_a_table_can_be_empty(market: Http) -> None:
    table = market.get(f"/metadata/{'Z' * 27}", headers=JSON)
    assert table.status_code == 200
    assert table.json() == {
        "sEcho": 0,
        "iTotalRecords": 0,
        "iTotalDisplayRecords": 0,
        "rMsg": "no metadata matching query found",
        "aaData": [],
    }


def test_a_posted_form_is_a_query(market: Http, valid: list[ImageEntry]) -> None:
    form = {
        "sEcho": "2",
        "iDisplayStart": "1",
        "iDisplayLength": "1",
        "sSortDir_0": "asc",
        "iSortCol_0": "1",
    }
    table = market.request("POST", "/metadata", headers=XML, data=form).json()
    by_os = sorted(valid, key=lambda entry: entry.os or "")
    assert [row[7] for row in table["aaData"]] == [by_os[1].identifier]
    assert (table["iTotalDisplayRecords"], table["sEcho"]) == (len(valid), 2)


def test_one_entry(market: Http, expired: ImageEntry) -> None:
    path = "/metadata/" + "/".join(expired.key)
    answer = market.get(path, headers=XML)
    assert answer.headers["Content-Type"] == "application/rdf+xml; charset=UTF-8"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={expired.identifier}.xml"
    root = ET.fromstring(answer.content)
    assert (root.tag, root.findtext(IDENTIFIER)) == (f"{RDF}RDF", expired.identifier)
    graph = market.get(path, headers=JSON).json()
    assert f"http://mp.stratuslab.eu/#{expired.identifier}" in graph
    assert "Signature" not in str(graph)
    assert expired.title
    assert expired.title in market.get(path, headers=HTML).text


def test_an_entry_is_found_by_its_whole_path_only(market: Http, expired: ImageEntry) -> None:
    identifier, email, endorsed = expired.key
    for path in (f"/metadata/{email}/{identifier}/{endorsed}", f"/metadata/{identifier}/{email}/2000"):
        answer = market.get(path, headers=JSON)
        assert (answer.status_code, answer.text) == (404, '{"404" : "metadata entry not found.\\n"}')


def test_the_newest_entry_with_a_tag(market: Http, catalogue: Catalogue, valid: list[ImageEntry]) -> None:
    older = next(entry for entry in valid if "ubuntu" in entry.alternatives)
    newer = replace(older, endorsed=older.endorsed + 60, deprecated="but not skipped")
    catalogue.add(newer)
    for path in (f"/metadata/{older.email}?tag=ubuntu", f"/tag/{older.email}/ubuntu"):
        assert "but not skipped" in market.get(path, headers=XML).text
    assert market.get("/tag/bob@example.net/ubuntu", headers=XML).status_code == 404


def results(market: Http, path: str) -> list[dict[str | None, str | None]]:
    sparql = "{http://www.w3.org/2005/sparql-results#}"
    root = ET.fromstring(market.get(path, headers=XML).content)
    assert root.tag == f"{sparql}sparql"
    return [
        {binding.get("name"): binding.findtext(f"{sparql}literal") for binding in result}
        for result in root.iter(f"{sparql}result")
    ]


def test_endorsers(market: Http, valid: list[ImageEntry]) -> None:
    found = results(market, "/endorsers")
    assert [result["email"] for result in found] == ["images@example.org", "bob@example.net"]
    assert found[1]["subject"] == valid[1].subject
    assert "bob@example.net" in market.get("/endorsers/", headers=HTML).text
    assert results(market, "/endorsers/bob@example.net/tags") == [{"tag": "ttylinux"}]


def test_the_history_of_an_endorser(market: Http, clock: Clock) -> None:
    path = "/endorsers/bob@example.net"
    (recent,) = results(market, path)
    assert set(recent) == {"identifier", "created", "description", "location", "email"}
    clock.step(30 * 86_400)
    assert results(market, path) == []
    assert results(market, f"{path}?range=40") == [recent]
    assert market.get(f"{path}?range=long", headers=XML).status_code == 500


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/xml", "application/xml"),
        ("text/xml", "application/xml"),
        ("application/rdf+xml", "application/xml"),
        ("application/json", "application/json"),
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        (None, "text/html"),
    ],
)
def test_errors(market: Http, accept: str | None, media_type: str) -> None:
    answer = market.get("/tag/nobody@example.org/x", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == f"{media_type}; charset=UTF-8"
    assert "metadata entry not found." in answer.text


def test_media_overrides_accept(market: Http) -> None:
    assert market.get("/metadata?media=json", headers=XML).json()["aaData"]
    assert market.get("/metadata?media=html", headers=XML).headers["Content-Type"].startswith("text/html")
    assert market.get("/metadata?media=xml", headers=HTML).text.startswith("<?xml")


@pytest.mark.parametrize("path", ["", "/", "/metdata", "/metadata/a/b/c/d", "/pdisk/disks/"])
def test_everything_else_is_the_home_page(market: Http, path: str) -> None:
    answer = market.get(path, headers=XML)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")


@pytest.mark.parametrize(
    ("method", "path", "media_type", "status", "text"),
    [
        ("POST", "/metadata", "text/csv", 415, "The server is refusing to service the request"),
        ("PUT", "/metadata", "application/xml", 405, "The method specified in the request"),
        ("GET", "/query?query=SELECT", "application/xml", 400, "query not allowed."),
    ],
)
def test_what_it_refuses(
    market: Http, method: str, path: str, media_type: str, status: int, text: str
) -> None:
    headers = {**XML, "Content-Type": media_type}
    answer = market.request(method, path, headers=headers, data="<rdf/>")
    assert answer.status_code == status
    assert ET.fromstring(answer.content).text.startswith(text)
    assert answer.headers.get("Allow") == ("GET, POST" if status == 405 else None)


def test_a_post_needs_a_body(market: Http) -> None:
    answer = market.request("POST", "/metadata", headers=XML)
    assert (answer.status_code, ET.fromstring(answer.content).text) == (400, "post with null entity")
    assert market.get("/query", headers=XML).status_code == 204


def test_an_empty_marketplace(
    clock: Clock, serve: Callable[[Callable[[Request], Response]], str], market: Http
) -> None:
    service = MarketplaceService(Catalogue(clock))
    market.url = serve(lambda request: service.handle(request, request.path))
    assert market.get("/metadata", headers=XML).text == NOTHING


def test_head(market: Http) -> None:
    answer = market.request("HEAD", "/metadata", headers=XML)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 10_000


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/metadata/", "GET /metadata"),
        ("POST", "/metadata", "POST /metadata"),
        ("GET", f"/metadata/{'A' * 27}", "GET /metadata/ID"),
        ("HEAD", "/metadata/a@example.org/", "HEAD /metadata/EMAIL"),
        ("GET", f"//metadata/a@example.org/{'A' * 27}", "GET /metadata/EMAIL/ID"),
        ("GET", "/metadata/A/a@example.org/2014-01-01T00:00:00Z", "GET /metadata/ID/EMAIL/DATE"),
        ("GET", "/tag/a@example.org/x", "GET /tag/EMAIL/TAG"),
        ("GET", "/endorsers/a@example.org", "GET /endorsers/EMAIL"),
        ("GET", "/elsewhere", "GET /elsewhere"),
    ],
)
def test_operations(catalogue: Catalogue, method: str, path: str, operation: str) -> None:
    assert MarketplaceService(catalogue).operation(method, path) == operation
