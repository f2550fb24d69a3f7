"""The variables in a template's CONTEXT and REQUIREMENTS, which OpenNebula replaces by what the VM has.

`$NAME` is an attribute of the template, `$NIC[IP]` a part of one, `$NIC[IP, NETWORK="public"]` the part of
the one that has that value; what is not there is empty.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.template.template import Template

_NAME = "[ \\t]*([0-9A-Za-z_]+)[ \\t]*"
_VARIABLE = re.compile(
    rf"""\$(?:([0-9A-Za-z_]+)(?:\[{_NAME}(?:,{_NAME}=[ \t]*"([^"]*)"[ \t]*)?\])?)?""",
)


class VariableError(Exception):
    """A text with a dollar sign that does not begin a variable."""


def replaced(text: str, template: Template, uid: int) -> str:
    """Return a text with its variables replaced; `uid` is the owner's. Raises VariableError."""
    return _VARIABLE.sub(_value_in(template, uid), text)


def _value_in(template: Template, uid: int) -> Callable[[re.Match[str]], str]:
    def value(variable: re.Match[str]) -> str:
        name, part, key, wanted = variable.groups()
        if name is None:
            raise VariableError(
                f"Error parsing: {variable.string}. syntax error, unexpected EOA, expecting VARIABLE"
            )
        if part is not None:
            vectors = template.vectors(name.upper())
            found = (v for v in vectors if key is None or v.get(key.upper()) == wanted)
            return next(found, {}).get(part.upper(), "")
        if name == "UID":
            return str(uid)
        if name == "TEMPLATE":
            return b64encode(template.to_xml().encode()).decode("ascii")
        return template.single(name.upper())

    return value
