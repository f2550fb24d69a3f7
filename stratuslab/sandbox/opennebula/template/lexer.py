"""The words of OpenNebula's template language, cut as its flex scanner cuts them.

The scanner works on bytes, takes the longest match (of equal ones the first rule) and knows two modes:
outside of a value, and right after an equals sign. A byte that no rule matches is dropped without an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(Enum):
    """The kinds of words, by their names in error messages."""

    END = "$end"
    EQUAL = "EQUAL"
    COMMA = "COMMA"
    OBRACKET = "OBRACKET"
    CBRACKET = "CBRACKET"
    EQUAL_EMPTY = "EQUAL_EMPTY"
    STRING = "STRING"
    VARIABLE = "VARIABLE"


@dataclass(frozen=True)
class Token:
    """A word; `line` is where it ends, `columns` count bytes from the beginning of the template."""

    kind: Kind
    text: str
    line: int
    columns: tuple[int, int]


_Rules = tuple[tuple[Kind | None, re.Pattern[bytes]], ...]

_NAMES: _Rules = (
    (None, re.compile(rb"[ \t]*#.*\n")),
    (None, re.compile(rb"[ \t\n]+")),
    (Kind.VARIABLE, re.compile(rb"[0-9A-Za-z_]+")),
    (Kind.EQUAL, re.compile(rb"[ \t]*=[ \t]*")),
    (Kind.EQUAL_EMPTY, re.compile(rb"[ \t]*=[ \t]*\n")),
    (Kind.COMMA, re.compile(rb"[ \t\n]*,[ \t\n]*")),
    (Kind.CBRACKET, re.compile(rb"[ \t\n]*\][ \t\n]*")),
)
_QUOTED = re.compile(rb'"(?!")[^"]*(?:(?<=\\)"[^"]*)*"')
_VALUES: _Rules = (
    (Kind.OBRACKET, re.compile(rb"[ \t]*\[[ \t\n]*")),
    (Kind.STRING, _QUOTED),
    (Kind.STRING, re.compile(rb"[^=# \t\n,\[\]]+")),
)


def scan(template: str) -> Iterator[Token]:
    """Cut a template into words; the last one is of the kind END, at the place of what came before it."""
    source = template.encode()
    rules = _NAMES
    start, line, columns = 0, 1, (1, 1)
    while start < len(source):
        kind, end = _longest(rules, source, start)
        line += source.count(b"\n", start, end)
        columns = (start + 1, end + 1)
        if kind is not None:
            yield Token(kind, _text(source[start:end]), line, columns)
            rules = _VALUES if kind is Kind.EQUAL else _NAMES
        start = end
    yield Token(Kind.END, "", line, columns)


def _longest(rules: _Rules, source: bytes, start: int) -> tuple[Kind | None, int]:
    best: tuple[Kind | None, int] = (None, start + 1)
    found = start
    for kind, pattern in rules:
        match = pattern.match(source, start)
        if match and match.end() > found:
            best = (kind, match.end())
            found = match.end()
    return best


def _text(word: bytes) -> str:
    if _QUOTED.fullmatch(word):
        word = word[1:-1]
    return word.decode().replace('\\"', '"')
