"""The operations that a rule for a fault may name: those that the services answer."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache

from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.marketplace.catalogue import Catalogue
from stratuslab.sandbox.marketplace.service import MarketplaceService
from stratuslab.sandbox.opennebula.current import methods as current
from stratuslab.sandbox.opennebula.requests.introspection import SYSTEM_METHODS
from stratuslab.sandbox.opennebula.requests.methods import METHODS
from stratuslab.sandbox.pdisk.disks import DiskStore
from stratuslab.sandbox.pdisk.service import DiskService

_NO_CALLS = ("DELETE xmlrpc", "GET xmlrpc", "HEAD xmlrpc", "POST xmlrpc", "PUT xmlrpc")


@cache
def known_operations() -> frozenset[str]:
    """Return all operations as the request log writes them, of every kind of cloud."""
    clock = Clock()
    return frozenset(
        {
            *METHODS,
            *current.OFFERED,
            *current.NOT_OFFERED,
            *SYSTEM_METHODS,
            *_NO_CALLS,
            *DiskService(DiskStore(clock)).operations(),
            *MarketplaceService(Catalogue(clock)).operations(),
        }
    )


def check_operation(pattern: str) -> None:
    """Raise ValueError if no operation matches the pattern; the text has the operation nearest to it."""
    known = sorted(known_operations())
    if not any(fnmatchcase(operation, pattern) for operation in known):
        (nearest,) = get_close_matches(pattern, known, 1, cutoff=0.0)
        raise ValueError(f"there is no operation {pattern!r}; the nearest is {nearest!r}")
