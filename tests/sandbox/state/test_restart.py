from __future__ import annotations

import re
import shutil
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from stratuslab.sandbox import Clock, Sandbox
from stratuslab.sandbox.opennebula import life_cycle
from stratuslab.sandbox.state.file import StateFile, StateFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratuslab.sandbox.pdisk.disks import Mount
    from tests.sandbox.state.conftest import Client

    Connect = Callable[[str, str, str], Client]

NOW = 1_400_000_000.0
QUARTER = 2.0
USERS = {"alice": "a", "bob smith": "b", "pdisk": "p", "oneadmin": "o"}
LOCATIONS = ["paris", "lyon"]
IMAGE = "http://market/metadata/{}"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def running(state: Path, now: float = NOW) -> Iterator[Sandbox]:
    with Sandbox(
        locations=LOCATIONS, users=USERS, boot_seconds=4 * QUARTER, clock=Clock(now), state_file=state
    ) as sandbox:
        yield sandbox


@contextmanager
def alices(state: Path, connect: Connect, now: float = NOW) -> Iterator[tuple[Sandbox, Client]]:
    """Run a sandbox; yield it, and Alice's client of Paris."""
    with running(state, now) as sandbox:
        yield sandbox, connect(sandbox.url, "paris", "alice:a")


def as_if_killed(state: Path, directory: Path) -> Path:
    """Copy what a sandbox would leave if it was killed now."""
    directory.mkdir()
    for path in state.parent.glob(f"{state.name}*"):
        shutil.copy(path, directory)
    return directory / state.name


def everything(sandbox: Sandbox, connect: Connect) -> list[object]:
    """Return all that the users can see."""
    seen: list[object] = []
    for location in LOCATIONS:
        for user, password in USERS.items():
            client = connect(sandbox.url, location, f"{user}:{password}")
            vms = client.vms(-2)
            seen += [client.one("one.vm.info", vm.id) for vm in vms]
            seen += [client.one("one.vmpool.info", -2, -1, -1, -2), client.one("one.hostpool.info")]
            seen += [client.one("one.vn.info", network) for network in range(3)]
            disks = client.disks()
            seen += [client.pdisk("GET", f"/disks/{uuid}") for uuid in disks]
            seen += [[*disks.items()], [[*client.mounts(uuid).items()] for uuid in disks]]
        seen.append(sandbox.location(location).catalogue.entries())
    return seen


def test_everything_is_there_again(state: Path, connect: Connect) -> None:
    with alices(state, connect) as (sandbox, alice):
        bob = connect(sandbox.url, "paris", "bob smith:b")
        image = IMAGE.format(alice.images()[0])
        volumes = [
            str(alice.pdisk("POST", "/disks/", size=str(size), tag=f'"{size}" ☁').content["uuid"])
            for size in (1, 1024, 3)
        ]
        alice.pdisk("PUT", f"/disks/{volumes[2]}", visibility="public", type="DATA_IMAGE_RAW_READONLY")
        for number in range(8):
            user = bob if number % 2 else alice
            assert user.allocate(image, f"vm-{number}", "FEATURES = [ ACPI = no ]\nX = ☁")[0]
        bob.allocate(f"pdisk:host/{volumes[0]}", "not his")
        sandbox.clock.step(4 * QUARTER)
        for vm_id, action in enumerate(["finalize", "shutdown", "stop", "suspend", "cancel"]):
            assert (bob if vm_id % 2 else alice).one("one.vm.action", action, vm_id)[0]
            sandbox.clock.step(QUARTER / 2)
        for uuid in (volumes[1], volumes[2], volumes[1]):
            alice.pdisk("POST", f"/disks/{uuid}/mounts/", node="n", vm_id=f"6{uuid[0]}")
        alice.pdisk("DELETE", f"/disks/{volumes[1]}/mounts/{volumes[1]}_6{volumes[1][0]}")
        alice.pdisk("POST", f"/disks/{volumes[1]}/mounts/", node="n", vm_id="6")
        alice.pdisk("DELETE", f"/disks/{volumes[0]}")
        assert alice.allocate(image, "late")[0]
        paris = sandbox.location("paris")
        paris.oned.fail(6, "out of luck")
        paris.oned.insert("<VM><ID>20</ID><NAME>literal</NAME><STATE>3</STATE><LCM_STATE>36</LCM_STATE></VM>")
        images = alice.images()
        paris.catalogue.remove(images[0])
        paris.catalogue.deprecate(images[1], "old")
        paris.catalogue.expire(images[2])
        before = everything(sandbox, connect)
        now = sandbox.clock.now()
        killed = as_if_killed(state, state.parent / "killed")
    assert any("<STATE>7</STATE>" in str(answer) for answer in before)
    for file in (killed, state):
        with running(file, now) as sandbox:
            assert everything(sandbox, connect) == before


def test_life_goes_on(state: Path, connect: Connect) -> None:
    """A cloud which was started again in every quarter ends like one that was not."""
    ends = []
    for steps in ([QUARTER] * 9, [9 * QUARTER]):
        state.unlink(missing_ok=True)
        with alices(state, connect) as (sandbox, alice):
            image = IMAGE.format(alice.images()[0])
            assert [alice.allocate(image)[1] for _ in range(3)] == [0, 1, 2]
            sandbox.clock.step(4 * QUARTER)
            assert alice.one("one.vm.action", "stop", 0)[0]
            assert alice.one("one.vm.action", "shutdown", 1)[0]
            assert alice.one("one.vm.action", "resubmit", 2)[0]
            assert alice.allocate(image)[1] == 3
            now = sandbox.clock.now()
        for step in steps:
            now += step
            with alices(state, connect, now) as (_, alice):
                documents = [alice.one("one.vm.info", vm_id) for vm_id in range(4)]
                disks = [(disk["owner"], disk["count"]) for disk in alice.disks().values()]
        ends.append((documents, disks))
    assert ends[0] == ends[1]
    assert [re.findall("<LCM_STATE>(.*?)</LCM_STATE>", str(document)) for document in documents] == [
        ["0"],
        ["0"],
        ["3"],
        ["3"],
    ]


def test_numbers_go_on(state: Path, connect: Connect) -> None:
    with running(state) as sandbox:
        alice = connect(sandbox.url, "lyon", "alice:a")
        assert [alice.allocate("x:y")[1] for _ in range(3)] == [0, 1, 2]
        assert alice.one("one.vm.action", "finalize", 2)[0]
    with running(state) as sandbox:
        bob = connect(sandbox.url, "lyon", "bob smith:b")
        assert bob.allocate("x:y")[1] == 3
        vms = connect(sandbox.url, "lyon", "oneadmin:o").vms(-2)
        assert [vm.address for vm in vms] == [f"198.18.0.{number}" for number in (1, 2, 3, 4)]
        uids = re.findall("<UID>(.*?)</UID>", str(bob.one("one.vm.info", 3)))
        assert uids == ["3"]


def test_the_id_of_a_forgotten_vm_is_not_given_again(
    state: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_cycle, "DONE_VMS_KEPT", 1)
    with alices(state, connect) as (sandbox, alice):
        for vm_id in (0, 1, 2):
            assert alice.allocate("x:y")[1] == vm_id
        for vm_id in (2, 1, 0):
            assert alice.one("one.vm.action", "finalize", vm_id)[0]
            sandbox.clock.step(1)
        now = sandbox.clock.now()
    with alices(state, connect, now) as (_, alice):
        assert 2 not in {vm.id for vm in alice.vms()}
        assert alice.allocate("x:y")[1] == 3


def test_a_disk_which_was_seen_is_the_same_afterwards(state: Path, connect: Connect) -> None:
    """The snapshot comes into being while its owner looks: no request of theirs changes anything."""
    with alices(state, connect) as (sandbox, alice):
        alice.allocate(IMAGE.format(alice.images()[0]))
        sandbox.clock.step(3 * QUARTER)
        seen = alice.disks()
        assert len(seen) == 1
        killed = as_if_killed(state, state.parent / "killed")
        now = sandbox.clock.now()
    with running(killed, now) as sandbox:
        assert connect(sandbox.url, "paris", "alice:a").disks() == seen


def test_nothing_half_done_is_written(state: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a VM gets its disk, a request to elsewhere is answered: it writes all of the disk, or nothing."""
    with alices(state, connect) as (sandbox, alice):
        alice.allocate(IMAGE.format(alice.images()[0]))
        elsewhere = connect(sandbox.url, "lyon", "alice:a")
        disks = sandbox.location("paris").disks
        mount = disks.mount
        killed: list[Path] = []
        request = threading.Thread(target=elsewhere.allocate, args=["x:y"])

        def slow_mount(what: Mount) -> None:
            request.start()
            request.join(0.5)
            killed.append(as_if_killed(state, state.parent / "killed"))
            mount(what)

        monkeypatch.setattr(disks, "mount", slow_mount)
        sandbox.clock.step(3 * QUARTER)
        assert len(alice.disks()) == 1
        request.join()
        now = sandbox.clock.now()
    with closing(StateFile(killed[0])) as file:
        assert "disk" not in {record.kind for record in file.records("paris")}
    with alices(killed[0], connect, now) as (_, alice):
        assert [disk["count"] for disk in alice.disks().values()] == ["1"]


def test_a_look_at_what_stands_still_writes_nothing(state: Path, connect: Connect) -> None:
    with alices(state, connect) as (sandbox, alice):
        alice.allocate("x:y")
        everything(sandbox, connect)
        log = state.with_name("state-wal")
        before = log.read_bytes()
        everything(sandbox, connect)
        assert alice.one("one.vm.action", "resume", 0)[0] is False
        assert log.read_bytes() == before
        alice.pdisk("POST", "/disks/", size="1")
        assert log.read_bytes() != before


def test_what_could_not_be_written_is_not_told_and_is_written_later(
    state: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise StateFileError("database or disk is full")

    with alices(state, connect) as (_, alice):
        with monkeypatch.context() as broken:
            broken.setattr(StateFile, "write", no_room)
            assert alice.pdisk("POST", "/disks/", size="1").status == 500
            assert alice.pdisk("GET", "/disks/").status == 500
        seen = alice.disks()
        killed = as_if_killed(state, state.parent / "killed")
    with running(killed) as sandbox:
        assert connect(sandbox.url, "paris", "alice:a").disks() == seen
    assert len(seen) == 1


def test_time_does_not_go_back(state: Path, connect: Connect) -> None:
    with running(state) as sandbox:
        sandbox.clock.step(3600)
        connect(sandbox.url, "paris", "alice:a").allocate("x:y")
    with running(state) as sandbox:
        assert sandbox.clock.now() == NOW + 3600


def test_what_was_done_from_python_is_kept(state: Path, connect: Connect) -> None:
    sandbox = Sandbox(clock=Clock(NOW), state_file=state)
    disks = sandbox.location("sandbox").disks
    first = disks.new("demo")
    disks.save(first)
    with sandbox:
        second = disks.new("demo")
        disks.save(second)
    with Sandbox(clock=Clock(NOW), state_file=state) as sandbox:
        assert [*connect(sandbox.url, "sandbox", "demo:demo-pass").disks()] == [second.uuid, first.uuid]


def test_a_sandbox_started_again_reads_its_file(state: Path, connect: Connect) -> None:
    with Sandbox(clock=Clock(NOW), state_file=state) as sandbox:
        demo = connect(sandbox.url, "sandbox", "demo:demo-pass")
        assert demo.allocate("x:y")[1] == 0
    with Sandbox(clock=Clock(NOW), state_file=state) as other:
        demo = connect(other.url, "sandbox", "demo:demo-pass")
        assert demo.one("one.vm.action", "finalize", 0)[0]
    with sandbox:
        demo = connect(sandbox.url, "sandbox", "demo:demo-pass")
        assert [vm.state for vm in demo.vms()] == [(6, 0)]
        assert demo.allocate("x:y")[1] == 1


def test_locations_come_and_go(state: Path, connect: Connect) -> None:
    for locations in (["paris"], ["lyon"], ["lyon", "paris"]):
        with Sandbox(locations=locations, state_file=state) as sandbox:
            for location in locations:
                demo = connect(sandbox.url, location, "demo:demo-pass")
                assert demo.allocate("x:y")[0]
    with Sandbox(locations=["paris", "lyon"], state_file=state) as sandbox:
        for location in ("paris", "lyon"):
            assert len(connect(sandbox.url, location, "demo:demo-pass").vms()) == 2


def test_an_image_which_was_removed_stays_away(state: Path, connect: Connect) -> None:
    with Sandbox(state_file=state) as sandbox:
        catalogue = sandbox.location("sandbox").catalogue
        for identifier in {entry.identifier for entry in catalogue.entries()}:
            catalogue.remove(identifier)
    with Sandbox(state_file=state) as sandbox:
        assert sandbox.location("sandbox").catalogue.entries() == []


def test_no_password_is_in_the_file(state: Path, connect: Connect) -> None:
    with Sandbox(users={"alice": "secret-word"}, state_file=state) as sandbox:
        assert connect(sandbox.url, "sandbox", "alice:secret-word").allocate("x:y")[0]
        for path in state.parent.iterdir():
            assert b"secret-word" not in path.read_bytes()


@pytest.mark.parametrize("port_is_free", [True, False])
def test_a_start_which_fails_leaves_nothing_open(state: Path, port_is_free: bool) -> None:
    threads = threading.active_count()
    with Sandbox(state_file=state) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        elsewhere = state.with_name("elsewhere")
        second = Sandbox(state_file=state) if port_is_free else Sandbox(state_file=elsewhere, port=port)
        with pytest.raises(StateFileError if port_is_free else OSError, match="in use"):
            second.start()
        sandbox.stop()
        with second:
            assert second.url
    assert threading.active_count() == threads


def test_an_uploaded_image_is_kept(state: Path) -> None:
    def url(sandbox: Sandbox) -> str:
        return f"{sandbox.url}/paris/pdisk/pswd/disks/"

    with running(state) as sandbox:
        disk = requests.post(url(sandbox), auth=("alice", "a"), files={"f": b"\x1f\x8b"}, timeout=10).json()
    with running(state) as sandbox:
        headers = {"Accept": "application/x-gzip"}
        answer = requests.get(url(sandbox) + disk["uuid"], auth=("alice", "a"), headers=headers, timeout=10)
        assert answer.content == b"\x1f\x8b"


def test_other_things_of_opennebula_are_kept(state: Path, connect: Connect) -> None:
    def known(client: Client) -> list[object]:
        return [client.one(f"one.{kind}pool.info", -2, -1, -1) for kind in ("image", "template")]

    with running(state) as sandbox:
        client = connect(sandbox.url, "paris", "oneadmin:o")
        client.one("one.image.allocate", "NAME = a\nPATH = b\n")
        client.one("one.image.allocate", "NAME = c\nPATH = b\n")
        client.one("one.image.delete", 1)
        client.one("one.template.allocate", "NAME = a\nNIC = [ NETWORK_ID = 0 ]")
        before = known(client)
    with running(state) as sandbox:
        client = connect(sandbox.url, "paris", "oneadmin:o")
        assert known(client) == before
        assert client.one("one.image.allocate", "NAME = d\nPATH = b\n") == [True, 2, 0]
