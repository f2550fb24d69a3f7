"""The SSH servers in all running virtual machines."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncssh

from stratuslab.sandbox.fork import replace_descriptors
from stratuslab.sandbox.guests.devices import Devices, VolumeContents
from stratuslab.sandbox.guests.guest import attached_volumes, running_guests
from stratuslab.sandbox.guests.server import GuestServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stratuslab.sandbox.guests.guest import Guest
    from stratuslab.sandbox.location import Location
    from stratuslab.sandbox.opennebula_location import OpenNebulaLocation

_LOOK_SECONDS = 0.05


class Guests:
    """Gives every VM an SSH server, at `port` of its own address, as long as it is RUNNING.

    `port` is the same for all of them, 0 for a free one; it is taken at once (OSError if that
    fails). Each VM has a folder in `folder`, a new one; it finds it again if it runs another time. What
    is in the volumes is there as well. All of it is done by one thread, which looks for changes twenty times
    a second. Commands run with the rights of this process.
    """

    def __init__(self, locations: Iterable[Location | OpenNebulaLocation], folder: Path, port: int) -> None:
        self._locations = list(locations)
        self._folder = folder.resolve()
        self._folder.mkdir()
        self._contents = VolumeContents(self._folder / ".volumes")
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._servers: dict[tuple[Location | OpenNebulaLocation, int], GuestServer] = {}
        self._reservation = socket.socket()
        try:
            self._reservation.bind(("127.0.0.1", port))
        except OSError:
            self._reservation.close()
            raise
        self.port: int = self._reservation.getsockname()[1]
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> None:
        """Begin to look for VMs in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End all servers and commands; only after `start`."""
        loop = self._loop.result()
        with suppress(RuntimeError):  # an error has ended the loop already
            loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._reservation.close()

    def abandon(self) -> None:
        """Let go of all sockets and pipes, in a forked child; nothing of it reaches clients and commands."""
        replace_descriptors([self._reservation.fileno()])
        for server in self._servers.values():
            replace_descriptors(server.descriptors())

    async def _serve(self) -> None:
        self._loop.set_result(asyncio.get_running_loop())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not stopping.done():
                await self._look()
                await asyncio.wait([stopping], timeout=_LOOK_SECONDS)
        finally:
            await asyncio.gather(*(server.stop() for server in self._servers.values()))

    async def _look(self) -> None:
        running = {
            (location, vm_id): guest
            for location in self._locations
            for vm_id, guest in running_guests(location).items()
        }
        for key in self._servers.keys() - running.keys():
            await self._servers.pop(key).stop()
        for (location, vm_id), guest in running.items():
            if (location, vm_id) not in self._servers:
                server = self._servers[location, vm_id] = self._new_server(location, vm_id, guest)
                await server.start(self.port)
            self._servers[location, vm_id].devices.refresh()

    def _new_server(self, location: Location | OpenNebulaLocation, vm_id: int, guest: Guest) -> GuestServer:
        home = self._folder / location.name / str(vm_id)
        devices = Devices(home / "dev", self._contents, partial(attached_volumes, location, vm_id))
        return GuestServer(guest, home, devices, self._host_key)
