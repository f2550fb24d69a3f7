"""The commands that run in a guest: processes of this machine, in the guest's folder.

Linux is needed to follow them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

_KEPT_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ")
_CANNOT_RUN = 126
_CHUNK_BYTES = 65536
_GRACE_SECONDS = 1.0
_Result = TypeVar("_Result")
_logger = logging.getLogger(__name__)


class Commands:
    """Runs the commands of one guest with the user's shell, as the user who started the sandbox.

    Every command is a process group of its own. What it leaves in the background lives on, as on any machine,
    until the end of the guest; only what has left the group (a daemon) outlives that.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._shell = os.environ.get("SHELL") or "/bin/sh"
        self._tasks: set[asyncio.Task[Any]] = set()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._left: set[int] = set()

    async def run(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run the command that a client asks for, or a shell, until its end."""
        await self._task(self._run_to_its_end(channel))

    async def end(self) -> None:
        """Kill everything that still runs; the log has a warning about what the user may not kill."""
        # If a process has that number now, the whole group had ended and the number was given to a stranger.
        groups = [*self._running, *(group for group in self._left if not _is_process(group))]
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except PermissionError:
                _logger.warning("Processes of another user outlive their machine: group %s", group)
            except ProcessLookupError:
                continue
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)
        for process in self._running.values():
            process.returncode = -signal.SIGKILL  # given up, so that Python does not warn of it

    def descriptors(self) -> list[int]:
        """Return the file descriptors of the pipes to and from the commands."""
        running = self._running.values()
        pipes = [pipe for process in running for pipe in (process.stdin, process.stdout, process.stderr)]
        return [pipe.fileno() for pipe in pipes if pipe and not pipe.closed]

    def _task(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_to_its_end(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        with suppress(asyncssh.Error, OSError):
            try:
                status = await self._run(channel)
            except OSError as error:
                channel.stderr.write(f"{self._shell}: {error.strerror}\n".encode())
                status = _CANNOT_RUN
            if status < 0:
                channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                channel.exit(status)
        await channel.wait_closed()

    async def _run(self, channel: asyncssh.SSHServerProcess[bytes]) -> int:
        process = subprocess.Popen(  # noqa: S603 - it is what is asked for
            [self._shell] if channel.command is None else [self._shell, "-c", channel.command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._home,
            env=self._environment(channel),
            start_new_session=True,
        )
        self._running[process.pid] = process
        end = self._task(self._end_of(process))
        await channel.redirect(stdout=process.stdout, stderr=process.stderr, send_eof=False)
        feeding = asyncio.create_task(_feed(channel.stdin, process))
        try:
            status = await asyncio.shield(end)
            await channel.stdout.drain()
            await channel.stderr.drain()
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
        return status

    async def _end_of(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the end of a process; return its status, or the negative number of the signal."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.pidfd_open(process.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        status = process.wait()
        del self._running[process.pid]
        self._left = {group for group in {*self._left, process.pid} if _has_members(group)}
        return status

    def _environment(self, channel: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
        user = channel.get_extra_info("username")
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return {**kept, "HOME": str(self._home), "SHELL": self._shell, "USER": user, "LOGNAME": user}


def _is_process(number: int) -> bool:
    try:
        os.getpgid(number)
    except ProcessLookupError:
        return False
    return True


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _feed(source: asyncssh.SSHReader[bytes], process: subprocess.Popen[bytes]) -> None:
    """Give a process what the client sends, then close its input."""
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: protocol, process.stdin)
    stream = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
    try:
        with suppress(ConnectionError, asyncssh.Error):
            while data := await source.read(_CHUNK_BYTES):
                stream.write(data)
                await stream.drain()
            stream.close()
            await stream.wait_closed()
    finally:
        if not transport.is_closing():
            transport.abort()
