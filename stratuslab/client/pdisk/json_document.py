"""JSON as PDisk writes it, with its bugs, from a server that may be hostile."""

from __future__ import annotations

import json
import re
from typing import Any

from stratuslab.client.transport.xml_document import DocumentError

__all__ = ["decode"]

_MAX_BYTES = 10 * 1024 * 1024
"""A list of 25,000 disks."""
_MAX_ODD_BYTES = 4 * 1024 * 1024
"""A list of 10,000 disks, with a character beyond the BMP, which makes its text take four bytes a character,
or with what has to be mended."""
_MAX_VALUES = 350_000
"""A list of 29,000 disks; a value takes up to two hundred bytes of memory, and as little as 3 in the text."""
_MAX_DIGITS = 640
"""Python may be set to refuse numbers of more digits."""
# The service pastes owners into its JSON as they are: a certificate's "O=A\\, Inc" makes it invalid.
_PASTED_OWNER = re.compile(r'("owner"\s*:\s*")(.*)$', re.MULTILINE)
_BEYOND_BMP = re.compile(rb"[\xf0-\xff]|\\u[dD][89A-Fa-f]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89A-Fa-f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(body: bytes) -> Any:
    """Return what a JSON document holds; characters that no text can hold become U+FFFD.

    :raises DocumentError: if it is not JSON, is nested too deeply, or holds so many values that it would fill
        the memory.
    """
    if len(body) > _MAX_BYTES:
        raise DocumentError(f"it is longer than {_MAX_BYTES >> 20} MiB")
    if len(body) > _MAX_ODD_BYTES and _BEYOND_BMP.search(body):
        raise DocumentError(f"it is longer than {_MAX_ODD_BYTES >> 20} MiB, with characters beyond the BMP")
    # Counted in one pass.
    if len(body) - len(body.translate(None, b",[{")) > _MAX_VALUES:
        raise DocumentError(f"it has more than {_MAX_VALUES} values")
    mendable = len(body) <= _MAX_ODD_BYTES
    try:
        text = body.decode("utf-8", "replace" if mendable else "strict")
        return _loads(text)
    except ValueError:
        if not mendable:
            raise DocumentError("it is not JSON") from None
    except RecursionError:
        raise DocumentError("it nests deeper than any answer") from None
    try:
        return _loads(_PASTED_OWNER.sub(_escaped, text))
    except (ValueError, RecursionError):
        raise DocumentError("it is not JSON") from None


def _loads(text: str) -> Any:
    # Most answers escape nothing, which is faster to see than that they escape no surrogate.
    hook = _object if "\\" in text and _SURROGATE_ESCAPE.search(text) else None
    # Not strict: control characters in one text must not hide all disks.
    return json.loads(text, strict=False, object_pairs_hook=hook, parse_int=_integer)


def _integer(digits: str) -> int | str:
    """Return a whole number; a longer one stays text: Python would refuse it, and with it all disks."""
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value for key, value in pairs}


def _escaped(owner: re.Match[str]) -> str:
    name, quote, end = owner[2].rpartition('"')
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return owner[1] + escaped + quote + end if quote else owner[0]
