"""The commands which run in a guest: processes of this machine, in the guest's folder.

Linux is needed to follow them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from stratuslab.sandbox.guests import controlling_terminal, process_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KEPT_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ")
_ON_TERMINAL = (sys.executable, "-I", "-S", controlling_terminal.__file__)
_CANNOT_RUN = 126
_CHUNK_BYTES = 65536
_MOMENT = 0.01
_GRACE_SECONDS = 1.0
_logger = logging.getLogger(__name__)


class Commands:
    """Runs the commands of one guest with the user's shell, as the user who has started the sandbox.

    Every command is a session of processes of its own. What it leaves in the background lives on, as on any
    machine, until the end of the guest; only what has left the session (a daemon) outlives that.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._shell = os.environ.get("SHELL") or "/bin/sh"
        self._sessions: set[asyncio.Task[None]] = set()
        self._processes: list[tuple[subprocess.Popen[bytes], asyncio.Task[int]]] = []

    async def run(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run the command that a client asks for or a shell, on a terminal if it wants one, until its end."""
        session = asyncio.create_task(self._run_to_its_end(channel))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        await session

    async def end(self) -> None:
        """Kill all that still runs; what the user may not kill, the log has a warning of."""
        leaders = {process.pid for process, _ in self._processes}
        spared: set[int] = set()
        while victims := process_session.living(leaders).keys() - spared:
            spared |= process_session.kill(victims)
            await asyncio.sleep(_MOMENT)
        if spared:
            _logger.warning("Processes of somebody else outlive their machine: %s", spared)
        ends = [end for process, end in self._processes if process.pid not in spared]
        if ends or self._sessions:
            await asyncio.wait([*ends, *self._sessions], timeout=_GRACE_SECONDS)
        self._reap(busy=set())

    def descriptors(self) -> list[int]:
        """Return the file descriptors of the pipes to and from the commands."""
        pipes = [
            pipe for process, _ in self._processes for pipe in (process.stdin, process.stdout, process.stderr)
        ]
        return [pipe.fileno() for pipe in pipes if pipe and not pipe.closed]

    async def _run_to_its_end(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        with suppress(asyncssh.Error, OSError):
            try:
                status = await (self._run_on_terminal if channel.term_type else self._run)(channel)
            except OSError as error:
                channel.stderr.write(f"{self._shell}: {error.strerror}\n".encode())
                status = _CANNOT_RUN
            if status < 0:
                channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                channel.exit(status)
        await channel.wait_closed()
        self._reap(busy={*process_session.living(self._ended()).values()})

    async def _run(self, channel: asyncssh.SSHServerProcess[bytes]) -> int:
        pipe = subprocess.PIPE
        process, end = self._start(self._command(channel), channel, pipe)
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

    async def _run_on_terminal(self, channel: asyncssh.SSHServerProcess[bytes]) -> int:
        """Run a command on a terminal.

        Somebody has to keep it open meanwhile, lest it seem to have been hung up. Its output ends when nobody
        has it open any more; one does not wait as long as that for jobs in the background.
        """
        controller, terminal = os.openpty()
        try:
            try:
                command = [*_ON_TERMINAL, os.ttyname(terminal), *self._command(channel)]
                _, end = self._start(command, channel, subprocess.DEVNULL)
                await channel.redirect(os.dup(controller), os.dup(controller), send_eof=False)
            finally:
                os.close(controller)
            status = await asyncio.shield(end)
        finally:
            os.close(terminal)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(channel.stdout.drain(), _GRACE_SECONDS)
        return status

    def _command(self, channel: asyncssh.SSHServerProcess[bytes]) -> list[str]:
        return [self._shell] if channel.command is None else [self._shell, "-c", channel.command]

    def _start(
        self, command: Sequence[str], channel: asyncssh.SSHServerProcess[bytes], streams: int
    ) -> tuple[subprocess.Popen[bytes], asyncio.Task[int]]:
        process = subprocess.Popen(  # noqa: S603 - it is what is asked for
            command,
            bufsize=0,
            stdin=streams,
            stdout=streams,
            stderr=streams,
            cwd=self._home,
            env=self._environment(channel),
            start_new_session=True,
        )
        end = asyncio.create_task(_end_of(process.pid))
        self._processes.append((process, end))
        return process, end

    def _ended(self) -> set[int]:
        return {process.pid for process, end in self._processes if end.done()}

    def _reap(self, busy: set[int]) -> None:
        """Let go of the commands which have ended, except for those which are busy in the background."""
        done = self._ended() - busy
        for process, _ in self._processes:
            if process.pid in done:
                process.wait()
        self._processes = [command for command in self._processes if command[0].pid not in done]

    def _environment(self, channel: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
        user = channel.get_extra_info("username")
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        own = {"HOME": str(self._home), "SHELL": self._shell, "USER": user, "LOGNAME": user}
        return {**kept, **own, **({"TERM": channel.term_type} if channel.term_type else {})}


async def _feed(source: asyncssh.SSHReader[bytes], process: subprocess.Popen[bytes]) -> None:
    """Give a process what the client sends, and close its input at the end of that."""
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


async def _end_of(pid: int) -> int:
    """Wait for the end of a process and return its status, or the negative number of the signal.

    The process is not reaped, so that its number, which is that of its group too, is given to no other.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if result is None:
        raise ChildProcessError(pid)
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
