"""VM templates: OpenNebula's template language, and the XML in which a template is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from stratuslab.sandbox.opennebula.template.lexer import Kind, Token, scan

if TYPE_CHECKING:
    from collections.abc import Iterator

Vector: TypeAlias = dict[str, str]
Value: TypeAlias = str | Vector


class TemplateError(Exception):
    """A template that breaks the grammar; the text is OpenNebula's, with line and columns."""


@dataclass
class Template:
    """Attributes in the order of the text, names in upper case; a name may occur several times."""

    attributes: list[tuple[str, Value]] = field(default_factory=list)

    def values(self, name: str) -> list[Value]:
        """Return all values of an attribute, in the order of the text."""
        return [value for present, value in self.attributes if present == name]

    def vectors(self, name: str) -> list[Vector]:
        """Return those values of an attribute that are vectors, `NAME = [ … ]`."""
        return [value for value in self.values(name) if isinstance(value, dict)]

    def single(self, name: str) -> str:
        """Return the first value of an attribute; empty if it is missing or a vector."""
        value = next(iter(self.values(name)), "")
        return value if isinstance(value, str) else ""

    def replace(self, name: str, value: Value) -> None:
        """Replace all values of an attribute with one value."""
        self.attributes = [attribute for attribute in self.attributes if attribute[0] != name]
        self.attributes.append((name, value))

    def remove(self, vector: Vector) -> None:
        """Remove this vector, but none that is equal to it."""
        self.attributes = [attribute for attribute in self.attributes if attribute[1] is not vector]

    def to_xml(self, tag: str = "TEMPLATE") -> str:
        """Return the template as an element of that name."""
        return f"<{tag}>{self.elements()}</{tag}>"

    def elements(self) -> str:
        """Return the attributes as XML: sorted by name, repeated names in order, values in CDATA."""
        attributes = sorted(self.attributes, key=lambda attribute: attribute[0])
        return "".join(_to_xml(name, value) for name, value in attributes)

    def copy(self) -> Template:
        """Return a template that can be changed without a change of this one."""
        return Template(
            [(name, dict(value) if isinstance(value, dict) else value) for name, value in self.attributes]
        )


def number(text: str) -> float | None:
    """Return a number that is not negative; None for anything else."""
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,9})?", text) else None


def parse(text: str, *, empty_vectors: bool = False) -> Template:
    """Read a template as OpenNebula 3.2 does; raises TemplateError.

    Releases from 5.12 on also know `empty_vectors`, `NAME = []`.
    """
    tokens = scan(text)
    template = Template()
    token = next(tokens)
    while token.kind is Kind.VARIABLE:
        template.attributes.append((token.text.upper(), _value(tokens, empty_vectors=empty_vectors)))
        token = next(tokens)
    _expect(token, Kind.END)
    return template


def _value(tokens: Iterator[Token], *, empty_vectors: bool) -> Value:
    equal = _expect(next(tokens), Kind.EQUAL, Kind.EQUAL_EMPTY)
    if equal.kind is Kind.EQUAL_EMPTY:
        return ""
    token = _expect(next(tokens), Kind.OBRACKET, Kind.STRING)
    return token.text if token.kind is Kind.STRING else _vector(tokens, may_be_empty=empty_vectors)


def _vector(tokens: Iterator[Token], *, may_be_empty: bool) -> Vector:
    vector: Vector = {}
    separator = Kind.COMMA
    while separator is Kind.COMMA:
        ends = (Kind.CBRACKET,) if may_be_empty and not vector else ()
        token = _expect(next(tokens), *ends, Kind.VARIABLE)
        if token.kind is Kind.CBRACKET:
            break
        name = token.text.upper()
        _expect(next(tokens), Kind.EQUAL)
        vector.setdefault(name, _expect(next(tokens), Kind.STRING).text)
        separator = _expect(next(tokens), Kind.COMMA, Kind.CBRACKET).kind
    return vector


def _expect(token: Token, *kinds: Kind) -> Token:
    if token.kind not in kinds:
        raise TemplateError(
            f"Parse error: syntax error, unexpected {token.kind.value},"
            f" expecting {' or '.join(kind.value for kind in kinds)}"
            f" at line {token.line}, columns {token.columns[0]}:{token.columns[1]}"
        )
    return token


def _to_xml(name: str, value: Value) -> str:
    if isinstance(value, str):
        return f"<{name}><![CDATA[{value}]]></{name}>"
    return f"<{name}>{''.join(_to_xml(key, value[key]) for key in sorted(value))}</{name}>"
