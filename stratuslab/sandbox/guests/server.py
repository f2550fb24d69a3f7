"""The SSH server of one guest."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import asyncssh

from stratuslab.sandbox.fork import end_listening
from stratuslab.sandbox.guests.commands import Commands
from stratuslab.sandbox.guests.files import GuestFiles

if TYPE_CHECKING:
    from pathlib import Path

    from stratuslab.sandbox.guests.devices import Devices
    from stratuslab.sandbox.guests.guest import Guest

_logger = logging.getLogger(__name__)


class GuestServer:
    """SSH with SFTP at the addresses of a guest, for everyone who has one of its keys, with any user name.

    `home` is the folder that they work in, made at the first start. `devices` has its volumes, brought up to
    date when a command or a transfer of files begins.
    """

    def __init__(self, guest: Guest, home: Path, devices: Devices, host_key: asyncssh.SSHKey) -> None:
        self.devices = devices
        self._guest = guest
        self._home = home
        self._host_key = host_key
        self._commands = Commands(home)
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._connections: set[asyncssh.SSHServerConnection] = set()

    async def start(self, port: int) -> None:
        """Answer at that port of each address; if this fails, the log has a warning."""
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            for address in self._guest.addresses:
                self._acceptors.append(await self._listen(address, port))
        except OSError as error:
            _logger.warning("There is a machine without an SSH server: %s", error)

    async def stop(self) -> None:
        """Close all connections and end all commands."""
        for acceptor in self._acceptors:
            for listener in acceptor.sockets:
                end_listening(listener)
            acceptor.close()
        connections = [*self._connections]
        for connection in connections:
            connection.abort()
        await asyncio.gather(
            *(acceptor.wait_closed() for acceptor in self._acceptors),
            *(connection.wait_closed() for connection in connections),
        )
        await self._commands.end()

    def descriptors(self) -> list[int]:
        """Return the file descriptors of all sockets and pipes."""
        listening = [socket.fileno() for acceptor in self._acceptors for socket in acceptor.sockets]
        connected = [connection.get_extra_info("socket").fileno() for connection in self._connections]
        return [*listening, *connected, *self._commands.descriptors()]

    async def _listen(self, address: str, port: int) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            address,
            port,
            server_factory=lambda: _Connection(self._connections),
            server_host_keys=[self._host_key],
            authorized_client_keys=_imported(self._guest.authorized_keys),
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            agent_forwarding=False,
            process_factory=self._run,
            sftp_factory=self._files,
            line_editor=False,
            encoding=None,
        )

    async def _run(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        self.devices.refresh()
        await self._commands.run(channel)

    def _files(self, channel: asyncssh.SSHServerChannel[bytes]) -> GuestFiles:
        self.devices.refresh()
        return GuestFiles(channel, self._home)


class _Connection(asyncssh.SSHServer):
    """Enters its connection into a set as long as it lasts."""

    def __init__(self, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connection = connection
        self._connections.add(connection)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.discard(self._connection)


def _imported(authorized_keys: str) -> asyncssh.SSHAuthorizedKeys | None:
    """Read the valid keys; None if there are none, and then nobody can log in."""
    try:
        return asyncssh.import_authorized_keys(authorized_keys)
    except ValueError:
        return None
