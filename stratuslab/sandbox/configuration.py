"""The configuration file, which tells a client where the sandbox's clouds are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_configuration(
    path: Path, account: Mapping[str, str], locations: Mapping[str, Mapping[str, str]]
) -> None:
    """Write a stratuslab-user.cfg that only its owner can read; FileExistsError if there is one already.

    `account` says who the user is and whom to trust, `locations` what a client needs to know of each
    location, both by the names of the keys. The first location is the selected one.
    """
    sections = {
        "default": {"selected_section": next(iter(locations)), **account},
        **{location: {"country": "Earth", **values} for location, values in locations.items()},
    }
    text = "\n".join(_section(name, values) for name, values in sections.items())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _section(name: str, values: Mapping[str, str]) -> str:
    lines = (f"{key} = {value.replace('%', '%%')}\n" for key, value in values.items())
    return f"[{name}]\n{''.join(lines)}"
