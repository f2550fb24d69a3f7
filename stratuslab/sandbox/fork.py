"""Keep a forked child away from what belongs to its parent: the child ends nothing and holds no socket."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Abandonable(Protocol):
    """What can be abandoned: something that this process runs and a child of it must not."""

    def abandon(self) -> None:
        """Let go of it in a forked child, without taking a lock, and without ending it for the parent."""


_running: weakref.WeakSet[Abandonable] = weakref.WeakSet()


def abandon_in_children(running: Abandonable) -> None:
    """Have this abandoned in each child that is forked from now on."""
    _running.add(running)


def keep_in_children(running: Abandonable) -> None:
    """Undo `abandon_in_children`."""
    _running.discard(running)


def replace_descriptors(descriptors: Iterable[int]) -> None:
    """Make these file descriptors refer to /dev/null; closed ones (-1) are left out.

    Closing them would be enough for the child; but objects that know the numbers would close them again
    later, when a number may belong to another file.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in descriptors:
        if descriptor >= 0:
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)


def end_listening(listener: socket.socket | TransportSocket) -> None:
    """Let nobody connect any more, also where a child has not yet let go of the listening socket."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def make_immortal(inherited: object) -> None:
    """Never let Python collect an object that does harm when it ends, such as an SQLite connection.

    Its end in a child would remove the write-ahead log that the parent is writing.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def removal_of(folder: Path, owner: object) -> Callable[[], object]:
    """Return what removes a folder, once; called at the latest at the end of its owner or of this process.

    In a child it does nothing. (`tempfile.TemporaryDirectory` removes the folder there too.)
    """
    return weakref.finalize(owner, _remove, folder, os.getpid())


def _remove(folder: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def _abandon_all() -> None:
    for running in [*_running]:
        running.abandon()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
