from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from tests.sandbox.state.conftest import Client, Clients

LOCATIONS = ("paris", "lyon")
USERS = ("alice", "bob", "carol")
AUDITORS = ("pdisk", "oneadmin")
NO_DISK = "00000000-0000-0000-0000-000000000000"
NIC = 'NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]'
LONG_NAME = f'NAME = "{"x" * 129}"\n{NIC}'
TWO_CONTEXTS = f"{NIC}\nCONTEXT = [ A = 1 ]\nCONTEXT = [ B = 2 ]"
NO_NETWORK = f'{NIC}\nNIC = [ NETWORK = "moon" ]'


def call(name: str, **arguments: SearchStrategy[object]) -> SearchStrategy[tuple[str, dict[str, object]]]:
    """Make a strategy for calls of a method of `Clouds`."""
    return st.fixed_dictionaries(arguments).map(lambda chosen: (name, chosen))


WHO = {"location": st.sampled_from(LOCATIONS), "user": st.sampled_from(USERS)}
NTH_NEWEST = st.integers(0, 3)
START = call("allocate", **WHO, image=st.sampled_from([0, 0, 0, 1, None]), volume=st.none() | NTH_NEWEST)
VOLUME = call("create_volume", **WHO, size=st.sampled_from(["1", "5", "1024", "0", "1025", "x", ""]))
ATTACH = call("attach_volume", **WHO, volume=NTH_NEWEST, vm=NTH_NEWEST)
ACTIONS = ["finalize", "finalize", "finalize", "shutdown", "cancel", "hold", "release", "resume", "dance"]
CALLS = st.one_of(
    START,
    START,
    VOLUME,
    VOLUME,
    ATTACH,
    ATTACH,
    call(
        "allocate_in_vain", **WHO, template=st.sampled_from([LONG_NAME, TWO_CONTEXTS, NO_NETWORK, "NAME = ["])
    ),
    call("act", **WHO, vm=NTH_NEWEST, action=st.sampled_from(ACTIONS)),
    call("act", **WHO, vm=NTH_NEWEST, action=st.sampled_from(ACTIONS)),
    call("detach_volume", **WHO, volume=NTH_NEWEST, vm=NTH_NEWEST),
    call("publish_volume", **WHO, volume=NTH_NEWEST),
    call("delete_volume", **WHO, volume=NTH_NEWEST),
    call("settle"),
    call("settle"),
    call("restart", killed=st.booleans()),
)


class Phase(Enum):
    """As much of a VM's life as matters to the books; the value tells the STATE."""

    PENDING = "1"
    HOLD = "2"
    RUNNING = "3 (3)"
    ENDING = "3 (12, 13 or 15)"
    DONE = "6"
    FAILED = "7"


@dataclass
class Machine:
    """A VM; `image` is its root disk, `volume` the UUID of a further disk or empty."""

    id: int
    owner: str
    address: str
    image: str
    volume: str
    phase: Phase = Phase.PENDING
    was_deployed: bool = False


@dataclass
class Volume:
    """A disk which a user made; `mounts` has the devices by the ids of VMs."""

    owner: str
    size: int
    public: bool = False
    mounts: dict[str, str] = field(default_factory=dict)

    def viewable_by(self, user: str) -> bool:
        return self.public or user == self.owner


class Books:
    """A small model of one location.

    The methods are the calls; each returns the status or the code which has to come back.
    """

    def __init__(self, images: list[str]) -> None:
        self.images = images
        self.machines: list[Machine] = []
        self.volumes: dict[str, Volume] = {}

    def leases(self) -> dict[str, int]:
        return {vm.address: vm.id for vm in self.machines if vm.phase is not Phase.DONE}

    def settle(self) -> None:
        """Let as much time go by that nothing more happens by itself."""
        for vm in self.machines:
            if vm.phase is Phase.ENDING:
                self._end(vm)
        for vm in self.machines:
            if vm.phase is Phase.PENDING:
                self._start(vm)

    def act(self, user: str, vm_id: int, action: str) -> int:
        if vm_id >= len(self.machines):
            return 1024
        vm = self.machines[vm_id]
        if vm.owner != user:
            return 512
        moves = {
            "shutdown": {Phase.RUNNING: Phase.ENDING},
            "cancel": {Phase.RUNNING: Phase.ENDING},
            "hold": {Phase.PENDING: Phase.HOLD},
            "release": {Phase.HOLD: Phase.PENDING},
            "resume": {},
            "finalize": {
                Phase.RUNNING: Phase.ENDING,
                Phase.ENDING: Phase.ENDING,
                **dict.fromkeys((Phase.PENDING, Phase.HOLD, Phase.FAILED, Phase.DONE), Phase.DONE),
            },
        }
        if action not in moves:
            return 8192
        if vm.phase not in moves[action]:
            return 2048
        phase = moves[action][vm.phase]
        if phase is Phase.DONE and vm.phase is not Phase.DONE:
            self._end(vm)
        vm.phase = phase
        return 0

    def delete(self, user: str, uuid: str) -> int:
        volume = self.volumes.get(uuid)
        if volume is None:
            return 404
        if user != volume.owner:
            return 403
        if volume.mounts:
            return 409
        del self.volumes[uuid]
        return 200

    def publish(self, user: str, uuid: str) -> int:
        volume = self.volumes.get(uuid)
        if volume is None:
            return 404
        if not volume.viewable_by(user):
            return 403
        volume.public = True
        return 303

    def attach(self, user: str, uuid: str, vm_id: str) -> int:
        volume = self.volumes.get(uuid)
        if volume is None:
            return 404
        if not volume.viewable_by(user) or vm_id in volume.mounts:
            return 403
        taken = {volume.mounts.get(vm_id) for volume in self.volumes.values()}
        volume.mounts[vm_id] = next(f"vd{letter}" for letter in "zyxwvut" if f"vd{letter}" not in taken)
        return 200

    def detach(self, user: str, uuid: str, vm_id: str) -> int:
        volume = self.volumes.get(uuid)
        if volume is None or vm_id not in volume.mounts:
            return 404
        if not volume.viewable_by(user):
            return 403
        del volume.mounts[vm_id]
        return 200

    def _start(self, vm: Machine) -> None:
        volume = self.volumes.get(vm.volume)
        usable = volume is not None and volume.viewable_by(vm.owner) and str(vm.id) not in volume.mounts
        if vm.image not in self.images or (vm.volume and not usable):
            vm.phase = Phase.FAILED
            return
        vm.phase = Phase.RUNNING
        vm.was_deployed = True
        if volume is not None:
            volume.mounts[str(vm.id)] = "static"

    def _end(self, vm: Machine) -> None:
        vm.phase = Phase.DONE
        for volume in self.volumes.values():
            volume.mounts.pop(str(vm.id), None)


class Clouds:
    """Two locations with three users, and the books which they have to have."""

    def __init__(self, new_clients: Callable[[], Clients], directory: Path) -> None:
        self.new_clients = new_clients
        self.directory = directory
        self.state = directory / "books.state"
        self.clock = Clock(1_400_000_000)
        self._start()
        self.books = {name: Books(self.clients[name, "alice"].images()) for name in LOCATIONS}

    def _start(self) -> None:
        self.sandbox = Sandbox(
            locations=LOCATIONS,
            users=dict.fromkeys((*USERS, *AUDITORS), "x"),
            boot_seconds=8,
            clock=Clock(self.clock.now()),
            state_file=self.state,
        )
        self.sandbox.start()
        self.clock = self.sandbox.clock
        self.connections = self.new_clients()
        self.clients: dict[tuple[str, str], Client] = {
            (location, user): self.connections.connect(self.sandbox.url, location, f"{user}:x")
            for location in LOCATIONS
            for user in (*USERS, *AUDITORS)
        }

    def _stop(self) -> None:
        self.connections.close()
        self.sandbox.stop()

    def __enter__(self) -> Clouds:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def uuid(self, location: str, nth_newest: int) -> str:
        return [*reversed(self.books[location].volumes), *[NO_DISK] * 4][nth_newest]

    def vm_id(self, location: str, nth_newest: int) -> int:
        """Return the id of a VM, or one which the next VM is going to have."""
        return max(0, len(self.books[location].machines) - nth_newest)

    def allocate(self, location: str, user: str, image: int | None, volume: int | None) -> None:
        books = self.books[location]
        root = "unknown" if image is None else books.images[image]
        uuid = "" if volume is None else self.uuid(location, volume)
        more = f"DISK = [ SOURCE = pdisk:host/{uuid}, TARGET = hdc ]" if uuid else ""
        client = self.clients[location, user]
        answer = client.allocate(f"http://market/metadata/{root}", more=more)
        assert answer == [True, len(books.machines), 0]
        address = client.vms()[-1].address
        assert address not in books.leases()
        books.machines.append(Machine(len(books.machines), user, address, root, uuid))

    def allocate_in_vain(self, location: str, user: str, template: str) -> None:
        ok, _, code = self.clients[location, user].one("one.vm.allocate", template)
        assert (ok, code) == (False, 8192)

    def act(self, location: str, user: str, vm: int, action: str) -> None:
        vm_id = self.vm_id(location, vm)
        ok, _, code = self.clients[location, user].one("one.vm.action", action, vm_id)
        assert code == self.books[location].act(user, vm_id, action)
        assert ok is (code == 0)

    def create_volume(self, location: str, user: str, size: str) -> None:
        answer = self.clients[location, user].pdisk("POST", "/disks/", size=size)
        assert answer.status == (201 if size in ("1", "5", "1024") else 400)
        if answer.status == 201:
            self.books[location].volumes[answer.content["uuid"]] = Volume(user, int(size))

    def delete_volume(self, location: str, user: str, volume: int) -> None:
        uuid = self.uuid(location, volume)
        answer = self.clients[location, user].pdisk("DELETE", f"/disks/{uuid}")
        assert answer.status == self.books[location].delete(user, uuid)

    def publish_volume(self, location: str, user: str, volume: int) -> None:
        uuid = self.uuid(location, volume)
        answer = self.clients[location, user].pdisk("PUT", f"/disks/{uuid}", visibility="public")
        assert answer.status == self.books[location].publish(user, uuid)

    def attach_volume(self, location: str, user: str, volume: int, vm: int) -> None:
        uuid, books, vm_id = self.uuid(location, volume), self.books[location], self.vm_id(location, vm)
        answer = self.clients[location, user].pdisk(
            "POST", f"/disks/{uuid}/mounts/", node="n", vm_id=str(vm_id)
        )
        assert answer.status == books.attach(user, uuid, str(vm_id))
        if answer.status == 200:
            assert answer.content["target"] == books.volumes[uuid].mounts[str(vm_id)]

    def detach_volume(self, location: str, user: str, volume: int, vm: int) -> None:
        uuid, vm_id = self.uuid(location, volume), self.vm_id(location, vm)
        answer = self.clients[location, user].pdisk("DELETE", f"/disks/{uuid}/mounts/{uuid}_{vm_id}")
        assert answer.status == self.books[location].detach(user, uuid, str(vm_id))

    def settle(self) -> None:
        self.clock.step(100)
        for books in self.books.values():
            books.settle()

    def restart(self, killed: bool) -> None:
        if killed:
            rest = Path(tempfile.mkdtemp(dir=self.directory))
            for part in self.state.parent.glob(f"{self.state.name}*"):
                shutil.copy(part, rest)
            self._stop()
            self.state = rest / self.state.name
        else:
            self._stop()
        self._start()

    def check(self, *locations: str) -> None:
        for location in locations:
            self._check_machines(location, self.books[location])
            self._check_disks(location, self.books[location])

    def _check_machines(self, location: str, books: Books) -> None:
        oneadmin = self.clients[location, "oneadmin"]
        vms = oneadmin.vms(-2)
        assert [(vm.id, vm.owner, vm.address, vm.state[0]) for vm in vms] == [
            (vm.id, vm.owner, vm.address, int(vm.phase.value[0])) for vm in books.machines
        ]
        for user in USERS:
            own = [vm.id for vm in books.machines if vm.owner == user]
            assert [vm.id for vm in self.clients[location, user].vms()] == own
        assert oneadmin.leases() == books.leases()

    def _check_disks(self, location: str, books: Books) -> None:
        pdisk = self.clients[location, "pdisk"]
        disks = pdisk.disks()
        for user in USERS:
            own = [uuid for uuid, disk in disks.items() if disk["owner"] == user]
            assert [*self.clients[location, user].disks()] == own
        mounts = {uuid: pdisk.mounts(uuid) if disk["count"] != "0" else {} for uuid, disk in disks.items()}
        origins = {}
        snapshots = []
        for uuid, disk in disks.items():
            identifier = disk.get("identifier", "")
            if identifier.startswith("snapshot:"):
                snapshots.append(
                    (disk["owner"], [*mounts[uuid].items()], identifier.removeprefix("snapshot:"))
                )
            elif identifier:
                assert (disk["owner"], identifier in origins) == ("pdisk", False)
                origins[identifier] = uuid
        deployed = [vm for vm in books.machines if vm.was_deployed]
        assert sorted(snapshots) == sorted(
            ("pdisk", [], origins[vm.image])
            if vm.phase is Phase.DONE
            else (vm.owner, [(str(vm.id), "static")], origins[vm.image])
            for vm in deployed
        )
        for image, uuid in origins.items():
            assert int(disks[uuid]["count"]) == sum(vm.image == image for vm in deployed)
        made = {uuid: disk for uuid, disk in disks.items() if not disk.get("identifier")}
        assert [*made] == [*reversed(books.volumes)]
        for uuid, volume in books.volumes.items():
            shown = {name: made[uuid][name].replace(",", "") for name in ("owner", "size", "count")}
            assert shown == {
                "owner": volume.owner,
                "size": str(volume.size),
                "count": str(len(volume.mounts)),
            }
            assert mounts[uuid] == volume.mounts


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(calls=st.lists(CALLS, min_size=80, max_size=80))
def test_random_calls_keep_the_books_straight(
    new_clients: Callable[[], Clients], calls: list[tuple[str, dict[str, object]]]
) -> None:
    with tempfile.TemporaryDirectory() as directory, Clouds(new_clients, Path(directory)) as clouds:
        for name, arguments in calls:
            getattr(clouds, name)(**arguments)
            location = arguments.get("location")
            clouds.check(*([str(location)] if location else LOCATIONS))
