"""The SQLite file in which the state of a sandbox lasts."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from stratuslab.sandbox.fork import make_immortal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_APPLICATION_ID = int.from_bytes(b"SLsb", "big")
_FORMAT = 1
_SCHEMA = """
BEGIN EXCLUSIVE;
CREATE TABLE record (
    place INTEGER PRIMARY KEY,
    location TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (location, kind, key)
);
CREATE TABLE clock (time REAL NOT NULL);
INSERT INTO clock VALUES (0);
"""
_REMOVE = "DELETE FROM record WHERE location = ? AND kind = ? AND key = ?"
_PUT = """
INSERT INTO record (location, kind, key, content) VALUES (?, ?, ?, ?)
ON CONFLICT (location, kind, key) DO UPDATE SET content = excluded.content
"""


class StateFileError(OSError):
    """A file that cannot be the state of a sandbox; the text names the file and the reason."""


class RecordName(NamedTuple):
    """What names a record."""

    location: str
    kind: str
    key: str


class Record(NamedTuple):
    """A record: its name, and its content as JSON."""

    location: str
    kind: str
    key: str
    content: str


class Batch(NamedTuple):
    """Changes that belong together: what is removed, and what is put after that."""

    removed: Sequence[RecordName]
    put: Sequence[Record]


class StateFile:
    """Records by location, kind and key, in the order in which they were first put.

    The file is this object's alone until it is closed. If it is not there it is made, for its owner to read.
    What was written outlasts the end of this process at any moment and that of the machine: SQLite's
    write-ahead log is forced to the disk for every write (`synchronous = FULL`). Not thread-safe.

    All methods, and the making of the object, raise StateFileError; the latter also other OSErrors.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            if not path.exists():
                path.touch(0o600)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise

    def time(self) -> float:
        """Return the time of the last write, in Unix seconds; 0 before the first one."""
        with self._errors():
            return float(self._value("SELECT time FROM clock"))

    def records(self, location: str) -> list[Record]:
        """Return all records of a location."""
        query = "SELECT location, kind, key, content FROM record WHERE location = ? ORDER BY place"
        with self._errors(), closing(self._connection.execute(query, (location,))) as rows:
            return [Record(*row) for row in rows]

    def write(self, batches: Iterable[Batch], time: float) -> None:
        """Carry out all changes, one batch after the other, or (on an error) no change."""
        with self._errors(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for batch in batches:
                self._connection.executemany(_REMOVE, batch.removed)
                self._connection.executemany(_PUT, batch.put)
            self._connection.execute("UPDATE clock SET time = max(time, ?)", (time,))

    def close(self) -> None:
        """Let go of the file."""
        with self._errors():
            self._connection.close()

    def abandon(self) -> None:
        """Leave the file to the parent, in a forked child, without closing it: SQLite forbids that there."""
        make_immortal(self._connection)

    def _open(self) -> None:
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = not self._value("SELECT count(*) FROM sqlite_master")
        if not is_new:
            self._check_format()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if is_new:
            marks = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_FORMAT};"
            self._connection.executescript(f"{_SCHEMA}{marks} COMMIT")
        else:
            self._connection.executescript("BEGIN EXCLUSIVE; COMMIT")

    def _check_format(self) -> None:
        if self._value("PRAGMA application_id") != _APPLICATION_ID:
            raise StateFileError(f"{self._path} is a database, but not the state of a sandbox")
        version = self._value("PRAGMA user_version")
        if version != _FORMAT:
            versions = f"format {version} of another version; this one reads and writes format {_FORMAT}"
            raise StateFileError(f"{self._path} is in {versions}")

    def _value(self, query: str) -> int | float:
        with closing(self._connection.execute(query)) as rows:
            value: int | float = rows.fetchone()[0]
            return value

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise StateFileError(f"{self._path} is in use by another sandbox") from error
            raise StateFileError(f"{self._path} cannot be the state of a sandbox: {error}") from error
