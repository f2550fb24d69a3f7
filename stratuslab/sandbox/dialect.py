"""What differs between the services of one StratusLab cloud and another."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Dialect:
    """How PDisk and the Marketplace word their answers.

    `group_numbers`: PDisk writes numbers from 1000 upwards as `1,024`; it does so if the locale of its server
        has a separator.
    `empty_identifiers`: PDisk shows an empty identifier for a disk without one.
    `deprecated_tags`: the Marketplace finds a deprecated entry by its tag.
    """

    group_numbers: bool = True
    empty_identifiers: bool = False
    deprecated_tags: bool = True


RELEASE_14_06 = Dialect()

DIALECTS = MappingProxyType(
    {
        "14.06": RELEASE_14_06,
        "14.06-ungrouped": Dialect(group_numbers=False),
        "2015": Dialect(empty_identifiers=True, deprecated_tags=False),
    }
)
"""By their names: the last release, the same in a locale without a separator, and what came after it."""
