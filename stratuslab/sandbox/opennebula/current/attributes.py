"""Templates as OpenNebula takes them from 5.12 on, and names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.template.template import Value

_EMPTY = re.compile(r'(=[ \t]*)""(?=\s|,|\]|\Z)')
_PLACEHOLDER = "\x01"
_VARIABLE = re.compile(r"\$(?:([0-9A-Za-z_]+)(?:\[[ \t]*([0-9A-Za-z_]+)[ \t]*[^\]]*\])?)")
_REFUSED_IN_NAMES = "&|:\\\";/'#{}$<>"
NAME_LIMIT = 128


def read_template(text: str) -> Template:
    """Read a template, XML or in OpenNebula's own language; raises TemplateError.

    Other than 3.2, these releases take an empty string for one.
    """
    if text.lstrip().startswith("<"):
        return _of_xml(text)
    template = parse(_EMPTY.sub(rf'\1"{_PLACEHOLDER}"', text))
    return Template([(name, _filled(value)) for name, value in template.attributes])


def xml_of(template: Template, tag: str = "TEMPLATE") -> str:
    """Return a template as an element of that name."""
    inside = template.to_xml().removeprefix("<TEMPLATE>").removesuffix("</TEMPLATE>")
    return f"<{tag}>{inside}</{tag}>"


def merged(template: Template, changes: Template) -> Template:
    """Return a template in which each attribute of `changes` takes the place of all of its name."""
    names = {name for name, _ in changes.attributes}
    kept = [attribute for attribute in template.attributes if attribute[0] not in names]
    return Template(kept + changes.attributes)


def updated(template: Template, changes: Template) -> Template:
    """Return what an appending update makes: of several new values of one name the last is kept."""
    return merged(template, Template([*dict(changes.attributes).items()]))


def expanded(text: str, template: Template, user: Template, known: dict[str, str]) -> str:
    """Return a text with its variables replaced: `$NAME`, `$NIC[IP]`, `$USER[SSH_PUBLIC_KEY]`."""

    def value(variable: re.Match[str]) -> str:
        name, part = variable[1].upper(), variable[2]
        if part is None:
            return known.get(name) or template.single(name)
        if name == "USER":
            return user.single(part.upper())
        return next((vector.get(part.upper(), "") for vector in template.vectors(name)), "")

    return _VARIABLE.sub(value, text)


def fault_of_name(name: str) -> str:
    """Return what is wrong with the name of an object, nothing if it may be one."""
    if not name:
        return "Invalid NAME, it cannot be empty"
    refused = next((character for character in name if character in _REFUSED_IN_NAMES), None)
    if refused is not None:
        return f"Invalid NAME, char '{refused}' is not allowed"
    if len(name.encode()) > NAME_LIMIT:
        return f"Invalid NAME, max length is {NAME_LIMIT} chars"
    return ""


def number(text: str) -> float | None:
    """Return a number that is not negative, None for anything else."""
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,9})?", text) else None


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
