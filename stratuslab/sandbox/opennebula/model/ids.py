"""The numbers of OpenNebula's objects."""

from __future__ import annotations

from stratuslab.sandbox.table import Table


class NextIds(Table[str, int]):
    """The next number of each kind of object, from 0; a number is never given again."""

    def next(self, kind: str) -> int:
        """Return the number that the next object of a kind will have."""
        return self.get(kind, 0)

    def take(self, kind: str) -> int:
        """Return that number and use it up."""
        number = self.next(kind)
        self[kind] = number + 1
        return number
