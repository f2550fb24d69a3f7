"""The files of a guest over SFTP."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from pathlib import Path


class GuestFiles(asyncssh.SFTPServer):
    """Shows the guest's folder and nothing else of the machine.

    The folder is where a client begins, and what it takes for `/`. Unlike in a jail the folder has its real
    name too, because that is what the guest's commands call it.
    """

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        """Return the real path for the one which a client names."""
        return (self._home + posixpath.normpath(b"/" + path.removeprefix(self._home))).rstrip(b"/")
