"""Rows by key, with a note of what has changed."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, ValuesView

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Changes(Generic[K]):
    """The keys of rows that were removed, and of rows that were put, each in that order.

    A row that was removed and put again is in both.
    """

    removed: dict[K, None] = field(default_factory=dict)
    put: dict[K, None] = field(default_factory=dict)


class Table(MutableMapping[K, V]):
    """A dictionary that notes its changes from the moment it is told to.

    Put a row again after changing it in place, so that this is noted too. Not thread-safe.
    """

    def __init__(self, rows: Mapping[K, V] | None = None) -> None:
        self._rows = dict(rows or {})
        self._changes: Changes[K] | None = None

    def note_changes(self) -> None:
        """Note the changes from now on; all present rows count as put."""
        self._changes = Changes(put=dict.fromkeys(self._rows))

    def load(self, rows: Mapping[K, V]) -> None:
        """Take these rows instead of the present ones, and note the changes from now on."""
        self._rows = dict(rows)
        self._changes = Changes()

    def forget_changes(self) -> None:
        """Stop noting changes."""
        self._changes = None

    def take_changes(self) -> Changes[K]:
        """Return what was noted since the last time."""
        if self._changes is None:
            return Changes()
        changes, self._changes = self._changes, Changes()
        return changes

    def values(self) -> ValuesView[V]:
        """Return the rows in the order in which they were added, as fast as a dictionary does."""
        return self._rows.values()

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __setitem__(self, key: K, row: V) -> None:
        self._rows[key] = row
        if self._changes is not None:
            self._changes.put[key] = None

    def __delitem__(self, key: K) -> None:
        del self._rows[key]
        if self._changes is not None:
            self._changes.put.pop(key, None)
            self._changes.removed[key] = None

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
