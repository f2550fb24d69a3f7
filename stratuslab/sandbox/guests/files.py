"""The files of a guest over SFTP."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from pathlib import Path


class GuestFiles(asyncssh.SFTPServer):
    """Shows the guest's folder, and no other folder of the machine.

    A client begins in this folder and sees it as `/`. Unlike in a jail, the real name of the folder works
    too, because the guest's commands use it.
    """

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        """Return the real path for a path that a client names."""
        return (self._home + posixpath.normpath(b"/" + path.removeprefix(self._home))).rstrip(b"/")
