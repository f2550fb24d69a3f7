"""The state of the Marketplace at one location: its metadata entries."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.marketplace.default_images import default_images
from stratuslab.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry


class OutdatedEntryError(Exception):
    """An entry that is not newer than the present one of the same endorser for the same image."""


class Catalogue:
    """All entries of one Marketplace: several for an image, if several endorsed it or one did it again.

    Thread-safe. Entries are values: a change puts another entry in the place of the first. What takes an
    identifier raises KeyError if no entry has it. `table` has the entries by what names them; hold `lock` to
    look at it.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.Lock()
        self.table: Table[tuple[str, str, str], ImageEntry] = Table()
        self._clock = clock

    def now(self) -> float:
        """Return the time by which entries expire, in Unix seconds."""
        return self._clock.now()

    def add(self, entry: ImageEntry) -> None:
        """Add an entry, in place of one with the same identifier, endorser and time of endorsement."""
        with self.lock:
            self.table[entry.key] = entry

    def upload(self, entry: ImageEntry) -> None:
        """Add an entry, or OutdatedEntryError if its endorser has a later one for the image, or the same."""
        with self.lock:
            rivals = (known for key, known in self.table.items() if key[:2] == entry.key[:2])
            if any(known.endorsed >= entry.endorsed for known in rivals):
                raise OutdatedEntryError(entry.key)
            self.table[entry.key] = entry

    def entries(self) -> list[ImageEntry]:
        """Return all entries, whatever their status, in the order in which they were added."""
        with self.lock:
            return list(self.table.values())

    def find(self, identifier: str) -> ImageEntry | None:
        """Return the entry of an image, of any status; the one endorsed last if there are several."""
        entries = [entry for entry in self.entries() if entry.identifier == identifier]
        return max(entries, key=lambda entry: entry.endorsed, default=None)

    def entry(self, identifier: str, email: str, endorsed: str) -> ImageEntry | None:
        """Return one entry by what names it; `endorsed` is written like `2014-03-08T14:10:40Z`."""
        with self.lock:
            return self.table.get((identifier, email, endorsed))

    def expire(self, identifier: str) -> None:
        """Let all entries of an image expire a second ago."""
        self._change(identifier, lambda entry: replace(entry, valid=self.now() - 1, document=""))

    def deprecate(self, identifier: str, reason: str) -> None:
        """Mark all entries of an image as deprecated."""
        self._change(identifier, lambda entry: replace(entry, deprecated=reason, document=""))

    def remove(self, identifier: str) -> None:
        """Remove all entries of an image."""
        with self.lock:
            for key in self._keys(identifier):
                del self.table[key]

    def _change(self, identifier: str, change: Callable[[ImageEntry], ImageEntry]) -> None:
        with self.lock:
            for key in self._keys(identifier):
                self.table[key] = change(self.table[key])

    def _keys(self, identifier: str) -> list[tuple[str, str, str]]:
        keys = [key for key in self.table if key[0] == identifier]
        if not keys:
            raise KeyError(identifier)
        return keys


def default_catalogue(clock: Clock) -> Catalogue:
    """Make a catalogue with the default images, whose dates are around the present time of the clock."""
    catalogue = Catalogue(clock)
    for entry in default_images(clock.now()):
        catalogue.add(entry)
    return catalogue
