"""Parts of pages for people: tables, times and states. Every text from outside is escaped."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, TypeAlias

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Mood: TypeAlias = Literal["good", "moving", "bad", "rest"]

_TABLE = Markup(
    '<div class="table" role="region" tabindex="0" aria-labelledby="{id}-caption">'
    '<table><caption id="{id}-caption">{caption}</caption>'
    "<thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></div>"
)
_HEADING = Markup('<th scope="col">{}</th>')
_ROW = Markup('<tr id="{}"><th scope="row">{}</th>{}</tr>')
_CELL = Markup('<td data-label="{}">{}</td>')
_NO_ROW = Markup('<tr id="{}-none"><td class="none" colspan="{}">{}</td></tr>')
_TIME = Markup('<time datetime="{}Z">{}</time>')
_WHY = Markup(' <span class="why">{}</span>')
_STATE = Markup('<span class="state {}">{}</span>')


@dataclass(frozen=True)
class Row:
    """A row of a table: `id` names it in the page, the first cell is its heading."""

    id: str
    heading: object
    cells: Sequence[object]


def table(table_id: str, caption: str, headings: Sequence[str], rows: Iterable[Row], if_none: str) -> Markup:
    """Return a table; without any row it says `if_none`.

    A cell that is not `Markup` is escaped.
    """
    shown = Markup().join(_row(row, headings) for row in rows)
    return _TABLE.format(
        id=table_id,
        caption=caption,
        headings=Markup().join(map(_HEADING.format, headings)),
        rows=shown or _NO_ROW.format(table_id, len(headings), if_none),
    )


def moment(seconds: float) -> Markup:
    """Return a time, given in Unix seconds, as date and time of day in UTC; nothing for 0."""
    if not seconds:
        return Markup()
    shown = datetime.fromtimestamp(int(seconds), tz=timezone.utc).replace(tzinfo=None)
    return _TIME.format(shown.isoformat(), shown)


def state(name: str, mood: Mood, why: str = "") -> Markup:
    """Return the name of a state, with a colour for what it means to its owner, and perhaps a reason."""
    shown = _STATE.format(mood, name)
    return shown + _WHY.format(why) if why else shown


def _row(row: Row, headings: Sequence[str]) -> Markup:
    cells = itertools.starmap(_CELL.format, zip(headings[1:], row.cells, strict=True))
    return _ROW.format(row.id, row.heading, Markup().join(cells))
