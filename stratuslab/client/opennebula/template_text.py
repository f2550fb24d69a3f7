r"""OpenNebula's template language, written so that its parser reads back what was meant.

The parser of 2.2 to 3.8 knows one escape, ``\"``; everything else in quotes is literal. What it
would not give back unchanged, or what XML-RPC cannot carry, is refused here.
"""

from __future__ import annotations

import re

from stratuslab.client.errors import InvalidArgumentError

__all__ = ["attribute", "checked_key", "checked_name", "vector", "without_variables"]

_KEY = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
# XML 1.0 has no other control characters and no surrogates; OpenNebula's XML-RPC library takes
# nothing beyond the Basic Multilingual Plane; a carriage return comes out of XML as a line feed.
_REFUSED = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd]")


def checked_name(name: object, *, longest: int, refused: str) -> str:
    """Return a name as OpenNebula takes it: of at most ``longest`` bytes, without ``refused`` characters.

    :raises InvalidArgumentError: for any other name.
    """
    if not isinstance(name, str):
        raise InvalidArgumentError(f"found a {type(name).__name__}; give text", argument="name")
    length = len(name.encode("utf-8", "surrogatepass"))
    if length > longest:
        units = "characters" if name.isascii() else "bytes in UTF-8"
        raise InvalidArgumentError(
            f"has {length} {units}; OpenNebula takes {longest} at most", argument="name"
        )
    found = next((character for character in name if character in refused), None)
    if found:
        raise InvalidArgumentError(
            f"holds {found!r}, which OpenNebula does not allow in names", argument="name"
        )
    return name


def attribute(name: str, value: str | int | float, argument: str) -> str:
    """Return ``NAME = "value"``. ``argument`` is the name of the argument, for an error."""
    return f"{name} = {_quoted(value, argument)}"


def vector(name: str, items: dict[str, tuple[str | int | float, str]]) -> str:
    """Return ``NAME = [ KEY = "value", … ]``; each item is its value and the argument to name."""
    inner = ",\n".join(f"  {key} = {_quoted(value, argument)}" for key, (value, argument) in items.items())
    return f"{name} = [\n{inner} ]"


def checked_key(key: str, argument: str) -> str:
    """Return an attribute name in upper case, as the parser makes it.

    :raises InvalidArgumentError: if it is not a valid name.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidArgumentError(
            f"found the key {key!r}; a key is made of letters A-Z, digits and underscores", argument=argument
        )
    return key.upper()


def without_variables(value: str, argument: str) -> str:
    """Return a value of which OpenNebula replaces nothing.

    :raises InvalidArgumentError: if it holds a ``$``.
    """
    if "$" in value:
        raise InvalidArgumentError(
            "holds a $, which OpenNebula replaces by a variable's value; "
            "leave it out or encode the value, for example as base64",
            argument=argument,
        )
    return value


def _quoted(value: str | int | float, argument: str) -> str:
    if not isinstance(value, (str, int, float)):
        raise InvalidArgumentError(f"found a {type(value).__name__}; give text", argument=argument)
    text = format(value, ".10g") if isinstance(value, float) else str(value)
    problem = _problem(text)
    if problem:
        raise InvalidArgumentError(problem, argument=argument)
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def _problem(text: str) -> str | None:
    if not text:
        return 'is empty; OpenNebula would store two quotes ("")'
    refused = _REFUSED.search(text)
    if refused:
        return (
            f"holds the character U+{ord(refused[0]):04X}, which OpenNebula's XML-RPC cannot carry; "
            "leave it out or encode the value, for example as base64"
        )
    if text.endswith("\\"):
        return "ends with a backslash, which would join it to what follows; put something after it"
    if "]]>" in text:
        return (
            "holds ]]>, which breaks the XML in which OpenNebula keeps it; encode it, for example as base64"
        )
    return None
