"""The state that lasts: a file that always has what the clients of a sandbox were told."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from stratuslab.sandbox.state.file import Batch, Record, RecordName, StateFile, StateFileError
from stratuslab.sandbox.state.records import record_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.opennebula_location import OpenNebulaLocation


class LastingState:
    """Keeps locations in a file, and brings them back from it.

    A location that is in the file gets the file's content; any other location is added to the file. A clock
    that is behind the file's is put forward. Thread-safe; raises OSError, with StateFileError for a file that
    cannot be used.
    """

    def __init__(self, path: Path, locations: Iterable[Location | OpenNebulaLocation], clock: Clock) -> None:
        self._kinds = {location: record_kinds(location) for location in locations}
        self._clock = clock
        self._lock = threading.Lock()
        self._unwritten: list[Batch] = []
        self._file = StateFile(path)
        try:
            clock.step(max(0.0, self._file.time() - clock.now()))
            for location in self._kinds:
                self._bring_back(location, path)
            self.commit()
        except BaseException:
            self._let_go()
            raise

    def commit(self) -> None:
        """Write all that has changed, if anything has.

        Whoever looked at a location before the call has seen nothing that is not in the file after it,
        because the changes of all requests are written together. A change that could not be written
        (StateFileError) is written the next time.
        """
        with self._lock:
            batches = (self._changes(location) for location in self._kinds)
            self._unwritten += (batch for batch in batches if any(batch))
            if self._unwritten:
                self._file.write(self._unwritten, self._clock.now())
                self._unwritten.clear()

    def committing(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that commits before each answer of this one."""

        def committing_application(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            try:
                return application(environ, start_response)
            finally:
                self.commit()

        return committing_application

    def abandon(self) -> None:
        """Leave the file to the parent, in a forked child."""
        self._file.abandon()

    def close(self) -> None:
        """Write what has changed and let go of the file; the locations live on without it."""
        try:
            self.commit()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for location, kinds in self._kinds.items():
            with location.at_rest():
                for kind in kinds:
                    kind.table.forget_changes()
        self._file.close()

    def _bring_back(self, location: Location | OpenNebulaLocation, path: Path) -> None:
        records = defaultdict(list)
        for record in self._file.records(location.name):
            records[record.kind].append(record)
        with location.at_rest():
            for kind in self._kinds[location]:
                if not records:
                    kind.table.note_changes()
                    continue
                try:
                    kind.load(records[kind.name])
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    reason = f"its records of the kind {kind.name} make no sense"
                    raise StateFileError(f"{path} cannot be the state of a sandbox: {reason}") from error
            location.recover()

    def _changes(self, location: Location | OpenNebulaLocation) -> Batch:
        removed, put = [], []
        with location.at_rest():
            for kind in self._kinds[location]:
                changes = kind.table.take_changes()
                names = (location.name, kind.name)
                removed += [RecordName(*names, kind.key_text(key)) for key in changes.removed]
                put += [Record(*names, kind.key_text(key), kind.content(key)) for key in changes.put]
        return Batch(removed, put)
