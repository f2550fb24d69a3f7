"""The checks of arguments: each returns what it checked, or names the argument in an error."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from stratuslab.client.configuration.cloud import MAX_TIMEOUT
from stratuslab.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "given",
    "login_text",
    "named_as_written",
    "nearest",
    "one_of",
    "only_known_keywords",
    "port_number",
    "proxy_address",
    "seconds",
    "several",
    "text",
    "truth",
    "vm_id",
    "whole_number",
]

_MOST_DIGITS = 18
_LAST_PORT = 65535
_Item = TypeVar("_Item")
_Choice = TypeVar("_Choice", bound=str)
_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'X'?``, or nothing where no known name is near."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def only_known_keywords(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let the ``TypeError`` for an unknown keyword suggest the nearest one; Python 3.10 does not."""
    known = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
        for name in keywords:
            if name not in known:
                raise TypeError(
                    f"{function.__qualname__}() got an unexpected keyword argument {name!r}"
                    f"{nearest(name, known)}"
                )
        return function(*arguments, **keywords)

    return checked


@contextmanager
def named_as_written(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors of a service's own arguments name those of the caller; ``names`` says which become which."""
    try:
        yield
    except InvalidArgumentError as error:
        field, rest = re.fullmatch(r"(\w*)(.*)", error.argument or "", re.DOTALL).groups()  # type: ignore[union-attr]  # matches any text
        if field not in names:
            raise
        raise InvalidArgumentError(error.problem, argument=f"{names[field]}{rest}") from error


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def whole_number(argument: str, value: object, *, least: int = 0, unit: str | None = None) -> int:
    """Return a whole number; ``1.0`` and ``"1"`` are accepted too, since tables and files hold such."""
    digits = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS
    if isinstance(value, bool) or not is_number or int(digits) < least:
        right = "a whole number" + (f" of {unit}" if unit else "") + (f" from {least}" if least else "")
        raise InvalidArgumentError(f"found {value!r}; give {right}", argument=argument)
    return int(digits)


def seconds(argument: str, value: float | str, *, least: float | None = None) -> float:
    """Return seconds above 0, or from ``least``; text is accepted too, since files hold text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (0 < number <= MAX_TIMEOUT if least is None else number >= least):
        most = f", up to {MAX_TIMEOUT}" if number > MAX_TIMEOUT else ""
        raise InvalidArgumentError(f"found {value!r}; give a number of seconds{most}", argument=argument)
    return number


def login_text(argument: str, value: object) -> str:
    """Return a part of a login; a wrong one is not shown in the error."""
    if value is None or value == "":
        raise InvalidArgumentError("is missing; with host give key and secret", argument=argument)
    if not isinstance(value, str):
        raise InvalidArgumentError(f"found a {type(value).__name__}; give text", argument=argument)
    try:
        value.encode()
    except UnicodeEncodeError:
        problem = "holds half of a surrogate pair, as of bytes that are no UTF-8; give text"
    else:
        return value
    raise InvalidArgumentError(problem, argument=argument)


def port_number(argument: str, value: object) -> int:
    """Return the number of a port."""
    number = whole_number(argument, value)
    if not 0 < number <= _LAST_PORT:
        raise InvalidArgumentError(f"found {value!r}; give a port from 1 to {_LAST_PORT}", argument=argument)
    return number


def truth(argument: str, value: bool | str) -> bool:
    """Return a truth value; text is accepted too, since files hold text."""
    known = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
    if known is None:
        raise InvalidArgumentError(f"found {value!r}; give True or False", argument=argument)
    return known


def text(argument: str, value: str) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"found {value!r}; give text", argument=argument)
    return value


def one_of(argument: str, value: _Choice, choices: Sequence[str]) -> _Choice:
    """Return a value that is one of the choices."""
    if value not in choices:
        raise InvalidArgumentError(f"found {value!r}; use one of {', '.join(choices)}", argument=argument)
    return value


def several(argument: str, items: Sequence[_Item] | None) -> Sequence[_Item]:
    """Return a list; None becomes an empty one, and text is refused."""
    if items is None:
        return ()
    if isinstance(items, (str, bytes)) or not hasattr(items, "__iter__"):
        raise InvalidArgumentError(f"found {items!r}; give a list", argument=argument)
    return items


def proxy_address(argument: str, url: str) -> str:
    """Return the URL of a proxy. A wrong one is not shown in the error: it may hold a password."""
    try:
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port
    except (TypeError, ValueError, AttributeError):
        known = None
    if not known or (at and ":" not in login):
        raise InvalidArgumentError(
            "give scheme, host and port of an HTTP proxy, as in http://proxy.example.org:3128 or "
            "http://user:password@proxy.example.org:3128",
            argument=argument,
        )
    return url


def vm_id(node_id: str | int | None, argument: str = "node.id") -> int:
    """Return the number of a node's VM."""
    return whole_number(argument, node_id)
