"""Templates as OpenNebula takes them from 5.12 on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.template.template import Value, Vector

_EMPTY = re.compile(r'(=[ \t]*)""(?=\s|,|\]|\Z)')
_PLACEHOLDER = "\x01"
_BETWEEN = "@^_^@"
_VARIABLE = re.compile(
    r"\$([0-9A-Za-z_]+)(?:\[[ \t]*([0-9A-Za-z_]+)[ \t]*(?:,[ \t]*[0-9A-Za-z_]+[ \t]*=[^\]]*)?\]|(?!\[))"
)


def read_template(text: str) -> Template:
    """Read a template, XML or in OpenNebula's own language; raises TemplateError.

    Unlike 3.2, these releases accept an empty string.
    """
    if text.lstrip().startswith("<"):
        return _of_xml(text)
    template = parse(_EMPTY.sub(rf'\1"{_PLACEHOLDER}"', text), empty_vectors=True)
    return Template([(name, _filled(value)) for name, value in template.attributes])


def merged(template: Template, changes: Template) -> Template:
    """Return a template in which each attribute of `changes` replaces all attributes of its name.

    An empty vector only removes them.
    """
    names = {name for name, _ in changes.attributes}
    kept = [attribute for attribute in template.attributes if attribute[0] not in names]
    return Template(kept + [(name, value) for name, value in changes.attributes if value != {}])


def updated(template: Template, changes: Template, kind: int) -> Template:
    """Return what an update makes: kind 1 adds to the template, any other kind replaces it."""
    return merged(template, changes) if kind == 1 else changes


def check_variables(vector: Vector) -> None:
    """Refuse a vector with a dollar sign that begins no variable; raises TemplateError."""
    text = _BETWEEN.join(f"{name}={vector[name]}" for name in sorted(vector))
    rest = _VARIABLE.sub(lambda variable: "_" * len(variable[0]), text)
    if "$" in rest:
        before = rest[: rest.index("$")]
        line, column = before.count("\n") + 1, len(before.encode()) + 2
        raise TemplateError(
            f"Error parsing: {text}. syntax error, unexpected EOA, expecting $end or VARIABLE or RSTRING"
            f" at line {line}, columns {column}:{column + 1}"
        )


def expanded(text: str, template: Template, user: Template, known: dict[str, str]) -> str:
    """Return a text with its variables replaced: `$NAME`, `$NIC[IP]`, `$USER[SSH_PUBLIC_KEY]`."""

    def value(variable: re.Match[str]) -> str:
        name, part = variable[1].upper(), variable[2]
        if part is None:
            return known.get(name) or template.single(name)
        if name == "USER":
            return user.single(part.upper())
        vectors = (vector for vector in template.vectors(name) if part.upper() in vector)
        return next((vector[part.upper()] for vector in vectors), "")

    return _VARIABLE.sub(value, text)


def _filled(value: Value) -> Value:
    if isinstance(value, str):
        return value.replace(_PLACEHOLDER, "")
    return {name: text.replace(_PLACEHOLDER, "") for name, text in value.items()}


def _of_xml(text: str) -> Template:
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - this is a sandbox
    except ElementTree.ParseError as error:
        raise TemplateError(f"Parse error: {error}") from error
    attributes: list[tuple[str, Value]] = []
    for element in root:
        vector = {part.tag.upper(): part.text or "" for part in element}
        attributes.append((element.tag.upper(), vector or element.text or ""))
    return Template(attributes)
