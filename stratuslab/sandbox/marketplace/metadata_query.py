"""Which entries of the Marketplace a request asks for: filters, search, order and page.

The real server turns all this into SPARQL. Some requests that look harmless fail there; they fail here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.marketplace.image_entry import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stratuslab.sandbox.marketplace.image_entry import ImageEntry

COLUMNS = (
    "",
    "os",
    "osversion",
    "arch",
    "email",
    "kind",
    "created",
    "identifier",
    "location",
    "description",
    "title",
)
"""The columns of the table of entries, as DataTables numbers them; the first is for display only."""

_SEARCHABLE_COLUMNS = range(1, 6)
_DEFAULT_SORT_COLUMN = 6

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class QueryError(Exception):
    """A request for a query that the store does not understand."""


def column_of(value: str) -> str:
    """Tell by its shape what a part of a path stands for: `email`, `created` or else `identifier`."""
    if _EMAIL.fullmatch(value):
        return "email"
    if _DATE.fullmatch(value):
        return "created"
    return "identifier"


def row(entry: ImageEntry) -> dict[str, str | None]:
    """Return the columns of an entry; one of its locations stands for all."""
    return {
        "os": entry.os,
        "osversion": entry.os_version,
        "arch": entry.os_arch,
        "email": entry.email,
        "kind": entry.kind,
        "created": timestamp(entry.endorsed),
        "identifier": entry.identifier,
        "location": entry.locations[0] if entry.locations else None,
        "description": entry.description,
        "title": entry.title,
    }


@dataclass(frozen=True)
class Found:
    """What a query finds: the entries of the page, how many there are on all pages, and without filters."""

    entries: list[ImageEntry]
    matching: int
    total: int


@dataclass(frozen=True)
class _Page:
    start: int
    length: int
    column: str
    descending: bool


@dataclass(frozen=True)
class MetadataQuery:
    """A request for a list of entries."""

    status: str
    location: str
    filters: tuple[tuple[str, str], ...]
    searches: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    page: _Page | None

    @classmethod
    def of(cls, segments: Sequence[str], parameters: Mapping[str, str]) -> MetadataQuery:
        """Read the query from the segments of the path after `/metadata` and the parameters of the URL.

        Raises QueryError, for example for a quotation mark, or for a page without `sSortDir_0`.
        """
        named = [parameters[name] for name in ("identifier", "email", "created") if name in parameters]
        values = [value for value in (*segments, *named) if value not in ("", "null")]
        if any('"' in text for text in (*values, *parameters.values())):
            raise QueryError("Malformed query")
        return cls(
            status=parameters.get("status", "valid"),
            location=parameters.get("location", "all"),
            filters=tuple((column_of(value), value) for value in values),
            searches=tuple(_searches(parameters)),
            page=_page(parameters),
        )

    def select(self, entries: Iterable[ImageEntry], now: float) -> Found:
        """Apply the query to the entries of a catalogue, at a time in Unix seconds.

        Only the latest entry of each endorser of an image counts, unless the query names a date.
        """
        entries = list(entries)
        latest = _latest(entries)
        total = sum(self._has_status(entry, now) for entry in latest)
        by_date = any(column == "created" for column, _ in self.filters)
        matching = [entry for entry in (entries if by_date else latest) if self._matches(entry, now)]
        return Found(self._paged(matching), len(matching), total)

    def _matches(self, entry: ImageEntry, now: float) -> bool:
        if not (self._has_status(entry, now) and self._has_location(entry)):
            return False
        columns = row(entry)
        return all(columns[column] == value for column, value in self.filters) and all(
            any(pattern.search(columns[column] or "") for column in searched)
            for searched, pattern in self.searches
        )

    def _has_status(self, entry: ImageEntry, now: float) -> bool:
        if self.status == "valid":
            return entry.valid_at(now)
        if self.status == "expired":
            return entry.expired_at(now) and entry.deprecated is None
        if self.status == "deprecated":
            return entry.deprecated is not None
        return True

    def _has_location(self, entry: ImageEntry) -> bool:
        if self.location == "pdisk":
            return any(location.startswith("pdisk") for location in entry.locations)
        if self.location == "web":
            return not entry.locations or any(re.match("https?:|ftp:", url) for url in entry.locations)
        return True

    def _paged(self, entries: list[ImageEntry]) -> list[ImageEntry]:
        page = self.page
        if page is None:
            return entries
        ordered = sorted(entries, key=lambda entry: row(entry)[page.column] or "", reverse=page.descending)
        return ordered[page.start : page.start + page.length]


def _latest(entries: Iterable[ImageEntry]) -> list[ImageEntry]:
    latest: dict[tuple[str, str], ImageEntry] = {}
    for entry in entries:
        pair = (entry.identifier, entry.email)
        if pair not in latest or latest[pair].endorsed < entry.endorsed:
            latest[pair] = entry
    return list(latest.values())


def _searches(parameters: Mapping[str, str]) -> Iterable[tuple[tuple[str, ...], re.Pattern[str]]]:
    for term in parameters.get("sSearch", "").split():
        yield COLUMNS[1:], _pattern(term)
    for number in _SEARCHABLE_COLUMNS:
        if text := parameters.get(f"sSearch_{number}"):
            yield (COLUMNS[number],), _pattern(text)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise QueryError(f"Malformed regular expression: {error}") from None


def _page(parameters: Mapping[str, str]) -> _Page | None:
    if not {"iDisplayStart", "iDisplayLength"} <= parameters.keys():
        return None
    direction = parameters.get("sSortDir_0", "null").lower()
    if direction not in ("asc", "desc"):
        raise QueryError(f"Malformed query: ORDER BY {direction}")
    column = _number(parameters, "iSortCol_0", _DEFAULT_SORT_COLUMN)
    if not 0 < column < len(COLUMNS):
        raise QueryError(f"Malformed query: no column {column}")
    return _Page(
        start=_number(parameters, "iDisplayStart"),
        length=_number(parameters, "iDisplayLength"),
        column=COLUMNS[column],
        descending=direction == "desc",
    )


def _number(parameters: Mapping[str, str], name: str, default: int = 0) -> int:
    text = parameters.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise QueryError(f"Malformed query: {name} is {text}")
    return int(text)
