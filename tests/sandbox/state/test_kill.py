from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Sandbox
from tests.sandbox.command import serving

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.state.conftest import Client

CLIENTS = 200
VOLUMES_EVERY = 2
ENDS_EVERY = 4
RUNNING, DONE = (3, 3), (6, 0)


@dataclass
class Told:
    """What the clients asked for, and what they were told that they have."""

    asked_vms: set[str] = field(default_factory=set)
    asked_volumes: set[str] = field(default_factory=set)
    asked_ends: set[str] = field(default_factory=set)
    vms: dict[int, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, int] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)


def work(
    client: Client, worker: str, image: str, told: Told, start: threading.Barrier, enough: Callable[[], None]
) -> None:
    """Create VMs and volumes, attach these, end some VMs, until the cloud is gone."""
    start.wait()
    try:
        for number in range(1000):
            name = f"{worker}-{number}"
            told.asked_vms.add(name)
            ok, vm_id, _ = client.allocate(image, name)
            assert ok
            told.vms[int(str(vm_id))] = name
            if number % VOLUMES_EVERY == 0:
                told.asked_volumes.add(name)
                uuid = client.pdisk("POST", "/disks/", size="1", tag=name).content["uuid"]
                told.volumes[uuid] = name
                attached = client.pdisk("POST", f"/disks/{uuid}/mounts/", node="n", vm_id=f"none-{vm_id}")
                assert attached.status == 200
                told.mounts[uuid] = int(str(vm_id))
            if number % ENDS_EVERY == 1:
                told.asked_ends.add(name)
                assert client.one("one.vm.action", "finalize", vm_id)[0]
                told.ends.add(name)
            enough()
    except (OSError, http.client.HTTPException):
        return


def load(connect: Callable[[], Client], process: subprocess.Popen[str], round_: int, told: Told) -> None:
    """Let all clients work at once; kill the cloud as soon as it has told them enough."""
    image = f"http://market/metadata/{connect().images()[0]}"
    start = threading.Barrier(CLIENTS)
    before = len(told.vms)
    enough = threading.Event()

    def look() -> None:
        if len(told.vms) >= before + CLIENTS // 2:
            enough.set()

    threads = [
        threading.Thread(target=work, args=(connect(), f"{round_}-{number}", image, told, start, look))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    process.kill()
    for thread in threads:
        thread.join()


def check(client: Client, told: Told) -> None:
    vms = {vm.id: vm for vm in client.vms()}
    names = [vm.name for vm in vms.values()]
    assert [*vms] == [*range(len(vms))]
    assert {vm_id: vms[vm_id].name for vm_id in told.vms} == told.vms
    assert len(set(names)) == len(names)
    assert set(names) <= told.asked_vms

    ended = {vm.name for vm in vms.values() if vm.state == DONE}
    assert told.ends <= ended <= told.asked_ends
    living = {vm.id: vm for vm in vms.values() if vm.name not in ended}
    assert {vm.state for vm in living.values()} == {RUNNING}
    assert client.leases() == {vm.address: vm.id for vm in living.values()}

    disks = client.disks()
    volumes = {uuid: disk["tag"] for uuid, disk in disks.items() if disk["tag"]}
    assert told.volumes.items() <= volumes.items()
    assert set(volumes.values()) <= told.asked_volumes
    for uuid, vm_id in told.mounts.items():
        assert client.mounts(uuid) == {f"none-{vm_id}": "vdz"}
    snapshots = [client.mounts(uuid) for uuid in disks if uuid not in volumes]
    assert sorted(map(int, [vm_id for mounts in snapshots for vm_id in mounts])) == sorted(living)
    assert all([*mounts.values()] == ["static"] for mounts in snapshots)


@pytest.mark.slow
def test_killed_in_the_middle(tmp_path: Path, connect: Callable[[str, str, str], Client]) -> None:
    """Three times 200 clients work, the cloud is killed, and it has afterwards all that they were told."""
    state = tmp_path / "state"
    told = Told()
    options = ["--state", str(state), "--boot-seconds", "0", "--locations", "paris"]
    for round_ in range(3):
        with serving(*options, TMPDIR=str(tmp_path)) as (process, place):
            url = place["locations"]["paris"]["endpoint"]
            load(partial(connect, url, "paris", "demo:demo-pass"), process, round_, told)
        with Sandbox(locations=["paris"], boot_seconds=0, state_file=state) as sandbox:
            check(connect(sandbox.url, "paris", "demo:demo-pass"), told)
    assert len(told.vms) >= 3 * (CLIENTS // 2)
