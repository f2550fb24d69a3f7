"""What the arguments of a sandbox may be."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stratuslab.sandbox import defaults
from stratuslab.sandbox.opennebula.releases import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CLOUDS = (defaults.CLOUD, *RELEASES)
"""The kinds of clouds."""

_LOCATION = re.compile(r"(?!(?:default|instance_types)\Z)[a-z0-9][a-z0-9._-]*", re.IGNORECASE)
_LOGIN = re.compile(r"(?!\s)[^:\x00-\x1f\x7f]+(?<!\s)")
_PASSWORD = re.compile(r"(?!\s)[^\x00-\x1f\x7f]+(?<!\s)")
_LAST_PORT = 65535


def check_port(name: str, port: int) -> None:
    """Raise ValueError for a number that is not a port; `name` is the name of the argument."""
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(f"{name} is {port}; give a number from 1 to {_LAST_PORT}, or 0 for a free port")


@contextmanager
def listening_on(port: int) -> Iterator[None]:
    """Make an OSError say which port cannot be taken, and what to do."""
    try:
        yield
    except OSError as error:
        reason = f"port {port} of 127.0.0.1 cannot be taken: {error.strerror}"
        raise OSError(error.errno, f"{reason}; give another port, or 0 for a free one") from error


def kinds_of(locations: Sequence[str], cloud: str) -> dict[str, str]:
    """Return the kind of each cloud by its name; raises ValueError."""
    pairs = [(name, kind or cloud) for name, _, kind in (text.partition(":") for text in locations)]
    names = [name for name, _ in pairs]
    for kind in (cloud, *(kind for _, kind in pairs)):
        if kind not in CLOUDS:
            raise ValueError(f"{kind!r} is no kind of cloud; give {', '.join(CLOUDS)}")
    if not names:
        raise ValueError("a sandbox has at least one location")
    for name in names:
        if not _LOCATION.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a location")
    if len(set(names)) < len(names):
        raise ValueError("two locations have the same name")
    return dict(pairs)


def check_hosts(hosts: int, capacity: tuple[int, int] | None) -> None:
    """Raise ValueError for a number or a capacity of hosts that is not possible."""
    if hosts < 1:
        raise ValueError("a location has at least one host")
    if capacity is not None and min(capacity) < 0:
        raise ValueError("the capacity of the hosts is negative")


def new_users(*, ssh: bool) -> dict[str, str]:
    """Return the default users with their passwords, which are random with `ssh`."""
    if not ssh:
        return dict(defaults.USERS)
    return {name: secrets.token_urlsafe(16) for name in defaults.USERS}


def check_users(users: Mapping[str, str], *, ssh: bool) -> None:
    """Raise ValueError for names and passwords that are not possible, or are published and `ssh` is on."""
    if not users:
        raise ValueError("a sandbox has at least one user")
    for name, password in users.items():
        if not _LOGIN.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a user")
        if not _PASSWORD.fullmatch(password):
            raise ValueError(
                f"the password of {name!r} is empty, or has space around it or control characters"
            )
        if ssh and password in defaults.USERS.values():
            raise ValueError(
                f"the password of {name!r} is published, and with SSH whoever logs in runs commands as you;"
                " give another one, or none to have it generated"
            )
