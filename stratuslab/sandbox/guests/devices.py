"""The volumes of a guest, as files in a folder of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stratuslab.sandbox.guests.guest import Volume

_GIB = 2**30
_SIZE_LIMIT = _GIB
_logger = logging.getLogger(__name__)


class VolumeContents:
    """A file with the content of each volume, made when the volume is attached for the first time.

    Such a file is as large as the volume, but not larger than 1 GiB; it takes as much room on the real disk
    as was written into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def file(self, volume: Volume) -> Path:
        """Return the file with the content of a volume."""
        file = self._folder / volume.uuid
        if not file.exists():
            file.touch(0o600)
            with file.open("r+b") as content:
                content.truncate(min(max(volume.size_gib, 0) * _GIB, _SIZE_LIMIT))
        return file


class Devices:
    """A folder that has each attached volume under its target's name (a hard link to its content)."""

    def __init__(
        self, folder: Path, contents: VolumeContents, attached: Callable[[], Mapping[str, Volume]]
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._attached = attached
        self._present: dict[str, str] = {}

    def refresh(self) -> None:
        """Bring the folder up to date with what is attached; a file in the way is replaced.

        If this fails, the log has a warning.
        """
        attached = self._attached()
        before, self._present = self._present, {target: disk.uuid for target, disk in attached.items()}
        try:
            for target in before.keys() - attached.keys():
                (self._folder / target).unlink(missing_ok=True)
            for target, volume in attached.items():
                if before.get(target) != volume.uuid:
                    self._put(target, volume)
        except OSError as error:
            _logger.warning("A volume is not as it should be in its guest: %s", error)

    def _put(self, target: str, volume: Volume) -> None:
        self._folder.mkdir(exist_ok=True)
        (self._folder / target).unlink(missing_ok=True)
        (self._folder / target).hardlink_to(self._contents.file(volume))
