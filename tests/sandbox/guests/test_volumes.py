from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from libcloud.compute.base import NodeAuthSSHKey

from stratuslab.sandbox.guests.ssh_servers import Guests
from tests.sandbox.guests.conftest import Key, Machines, run

if TYPE_CHECKING:
    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

MIB, GIB = 2**20, 2**30


def start(driver: StratusLabNodeDriver, key: Key, name: str = "web") -> StratusLabNode:
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    return driver.create_node(name, size, image, auth=NodeAuthSSHKey(key.public))


def test_content_outlives_detach_and_attach(
    machines: Machines, driver: StratusLabNodeDriver, key: Key
) -> None:
    first, second = start(driver, key, "first"), start(driver, key, "second")
    volume = driver.create_volume(1, "data")
    assert machines.run(int(first.id), "ls").out == ""
    driver.attach_volume(first, volume)
    assert machines.run(int(first.id), "ls dev").out == "vdz\n"
    assert machines.run(int(first.id), "printf 12345 | dd of=dev/vdz conv=notrunc status=none").status == 0
    driver.detach_volume(volume)
    assert machines.run(int(first.id), "ls dev").out == ""
    other = driver.create_volume(1, "other")
    driver.attach_volume(second, other)
    driver.attach_volume(second, volume)
    assert machines.run(int(second.id), "ls dev; head -c 5 dev/vdy; head -c 5 dev/vdz | tr '\\0' -").out == (
        "vdy\nvdz\n12345-----"
    )


def test_content_outlives_the_machine(machines: Machines, driver: StratusLabNodeDriver, key: Key) -> None:
    first, volume = start(driver, key), driver.create_volume(1, "data")
    driver.attach_volume(first, volume)
    machines.run(int(first.id), "echo kept > dev/vdz")
    first.destroy()
    second = start(driver, key)
    driver.attach_volume(second, driver.ex_get_volume(volume.id))
    assert machines.run(int(second.id), "cat dev/vdz").out == "kept\n"


def test_volume_over_sftp(machines: Machines, driver: StratusLabNodeDriver, key: Key) -> None:
    node, volume = start(driver, key), driver.create_volume(1, "data")
    client = machines.connect(int(node.id))
    with client.open_sftp() as sftp, pytest.raises(FileNotFoundError):
        sftp.stat("dev/vdz")
    driver.attach_volume(node, volume)
    with client.open_sftp() as sftp:
        assert sftp.stat("dev/vdz").st_size == GIB
        with sftp.open("dev/vdz", "r+") as file:
            file.seek(10 * MIB)
            file.write(b"here")
    assert run(client, "tail -c +10485761 dev/vdz | head -c 4").out == "here"


def test_command_which_follows_at_once(
    machines: Machines, driver: StratusLabNodeDriver, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not make a file of its own where the volume should be."""

    async def blind(_: Guests) -> None:
        """Do not see what is attached by oneself."""

    node, volume = start(driver, key), driver.create_volume(1, "data")
    client = machines.connect(int(node.id))
    monkeypatch.setattr(Guests, "_look", blind)
    driver.attach_volume(node, volume)
    assert run(client, "ls dev; echo kept > dev/vdz").out == "vdz\n"
    driver.detach_volume(volume)
    with client.open_sftp() as sftp:
        assert sftp.listdir("dev") == []


def test_as_large_as_the_volume_within_limits(
    machines: Machines, driver: StratusLabNodeDriver, key: Key
) -> None:
    node, volume = start(driver, key), driver.create_volume(1024, "huge")
    driver.attach_volume(node, volume)
    size, blocks = map(int, machines.run(int(node.id), "stat -c '%s %b' dev/vdz").out.split())
    assert size == GIB
    assert blocks * 512 < MIB


def test_volume_which_is_there_from_the_start(machines: Machines, driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "data")
    disk = f'DISK = [ SOURCE = "pdisk:127.0.0.1:8445/{volume.id}", TARGET = "vdc", TYPE = "block" ]'
    image = 'DISK = [ SOURCE = "https://elsewhere.example.org/image", TARGET = "vda" ]'
    vm_id = machines.start(more=f"{image}\n{disk}\n")
    assert machines.run(vm_id, "ls dev; echo kept > dev/vdc").out == "vdc\n"
    machines.call("one.vm.action", "finalize", vm_id)
    assert machines.run(machines.start(more=f"{image}\n{disk}\n"), "cat dev/vdc").out == "kept\n"


@pytest.mark.parametrize("target", ["../../escaped", "/tmp/escaped", "", "."])
def test_target_which_is_no_name(machines: Machines, driver: StratusLabNodeDriver, target: str) -> None:
    volume = driver.create_volume(1, "data")
    disk = f'DISK = [ SOURCE = "pdisk:127.0.0.1:8445/{volume.id}", TARGET = "{target}" ]'
    image = 'DISK = [ SOURCE = "https://elsewhere.example.org/image", TARGET = "vda" ]'
    vm_id = machines.start(more=f"{image}\n{disk}\n")
    assert machines.run(vm_id, "ls; ls ..; ls ../..").out == "0\nsandbox\n"


def test_file_in_the_place_of_a_volume(machines: Machines, driver: StratusLabNodeDriver, key: Key) -> None:
    node, volume = start(driver, key), driver.create_volume(1, "data")
    machines.run(int(node.id), "mkdir dev; echo mine > dev/vdz")
    driver.attach_volume(node, volume)
    assert machines.run(int(node.id), "head -c 4 dev/vdz | tr '\\0' -").out == "----"


def test_what_the_user_has_put_in_the_way(
    machines: Machines, driver: StratusLabNodeDriver, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    node, volume = start(driver, key), driver.create_volume(1, "data")
    machines.run(int(node.id), "echo mine > dev")
    driver.attach_volume(node, volume)
    assert machines.run(int(node.id), "cat dev").out == "mine\n"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    driver.detach_volume(volume)
    assert machines.run(int(node.id), "cat dev; rm dev").out == "mine\n"
    driver.attach_volume(node, volume)
    assert machines.run(int(node.id), "ls dev").out == "vdz\n"
