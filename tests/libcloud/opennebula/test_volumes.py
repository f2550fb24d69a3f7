"""Datablocks as volumes: told as done when they are seen to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from libcloud.compute.base import StorageVolume, VolumeSnapshot
from libcloud.compute.types import StorageVolumeState

from stratuslab.client.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    NotOfferedError,
    ServiceError,
)
from stratuslab.client.opennebula import datablocks

if TYPE_CHECKING:
    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.libcloud.volume import StratusLabVolume
    from stratuslab.sandbox import Sandbox


LOGIN, STRANGER = "demo:demo-pass", "guest:guest-pass"


@pytest.fixture(autouse=True)
def _short_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an order that a machine shows no sign of count as failed soon; the sandbox begins it at once."""
    monkeypatch.setattr(datablocks, "_OLD_STATE_SECONDS", 0.3)


@pytest.fixture
def volume(driver: OpenNebulaNodeDriver) -> StratusLabVolume:
    return driver.create_volume(2, "data")


def test_a_volume_says_where_it_is(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    assert (volume.name, volume.size, volume.state) == ("data", 2, StorageVolumeState.AVAILABLE)
    assert driver.attach_volume(node, volume)
    [listed] = driver.list_volumes()

    assert listed.state == StorageVolumeState.INUSE
    assert (listed.extra["node"], listed.extra["device"]) == (node.id, volume.extra["device"])
    assert listed.extra["device"]
    assert driver.ex_get_volume(volume.id).extra["device"] == volume.extra["device"]
    assert driver.detach_volume(listed)
    assert driver.list_volumes()[0].state == StorageVolumeState.AVAILABLE
    assert driver.destroy_volume(volume)
    assert driver.list_volumes() == []
    with pytest.raises(NotFoundError):
        driver.ex_get_volume(volume.id)


def test_on_a_node_that_is_powered_off(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    driver.stop_node(node)
    assert driver.attach_volume(node, volume)
    assert driver.detach_volume(volume, ex_node=node)


def test_an_attach_that_fails_silently_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    sandbox.faults.add("one.vm.attach:nth=1:driver=fails")

    with pytest.raises(ConflictError, match=r"without saying why.*RUNNING without it"):
        driver.attach_volume(node, volume)
    assert driver.list_volumes()[0].extra["node"] is None
    assert driver.attach_volume(node, volume)


def test_a_detach_that_fails_silently_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    driver.attach_volume(node, volume)
    sandbox.faults.add("one.vm.detach:nth=1:driver=fails")

    with pytest.raises(ConflictError, match="RUNNING with it"):
        driver.detach_volume(volume)
    assert driver.list_volumes()[0].extra["node"] == node.id
    assert driver.detach_volume(volume)


def test_a_volume_that_cannot_be_made_leaves_nothing(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    sandbox.faults.add("one.image.allocate:nth=1:driver=fails")

    with pytest.raises(ServiceError, match=r"could not make.*deleted"):
        driver.create_volume(1, "data")
    assert driver.list_volumes() == []


@pytest.mark.parametrize("what", ["cut-after", "cut-at=20", "status=502:carried-out", "garbage"])
def test_one_volume_although_the_answer_is_lost(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, what: str
) -> None:
    sandbox.faults.add(f"one.image.allocate:nth=1:{what}")

    volume = driver.create_volume(1, "data")

    assert [listed.id for listed in driver.list_volumes()] == [volume.id]


@pytest.mark.parametrize("operation", ["one.vm.attach", "one.vm.detach"])
def test_a_lost_answer_of_an_attach_or_detach_is_looked_for(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    volume: StratusLabVolume,
    operation: str,
) -> None:
    sandbox.faults.add(f"{operation}:nth=1:cut-after")

    assert driver.attach_volume(node, volume)
    assert driver.list_volumes()[0].extra["node"] == node.id
    assert driver.detach_volume(volume)
    assert driver.list_volumes()[0].extra["node"] is None


def test_a_token_of_ones_own_makes_one_volume(driver: OpenNebulaNodeDriver) -> None:
    first = driver.create_volume(1, "data", ex_token="mine-1")

    assert driver.create_volume(1, "other", ex_token="mine-1").id == first.id
    assert first.extra["identifier"] == "mine-1"


def test_what_cannot_be_done_is_told(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    with pytest.raises(ConflictError, match="attached to no node"):
        driver.detach_volume(volume)
    driver.attach_volume(node, volume)
    with pytest.raises(ConflictError, match="in use"):
        driver.attach_volume(node, volume)
    with pytest.raises(ConflictError, match="using it"):
        driver.destroy_volume(volume)
    driver.ex_suspend_node(node)
    with pytest.raises(ConflictError):
        driver.detach_volume(volume)


def test_the_root_disk_is_never_detached(driver: OpenNebulaNodeDriver, node: Any) -> None:
    root = StorageVolume(
        str(node.extra["disks"][0]["image_id"]), "root", 1, driver, extra={"location": "here"}
    )

    with pytest.raises(ConflictError, match="boots from"):
        driver.detach_volume(root, ex_node=node)
    assert driver.ex_refresh_node(node).extra["disks"][0]["disk_id"] == 0


def test_datastores(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    assert driver.create_volume(1, "a", ex_datastore="ssd").extra["datastore"] == "ssd"
    assert driver.create_volume(1, "b", ex_datastore=1).extra["datastore"] == "default"
    with pytest.raises(InvalidArgumentError, match=r"ex_datastore.*'default'"):
        driver.create_volume(1, "c", ex_datastore="nowhere")
    sandbox.opennebula("here").oned.set_free_space(1, 0)
    assert driver.create_volume(1, "d").extra["datastore"] == "ssd"
    with pytest.raises(ConflictError, match="space"):
        driver.create_volume(1, "e", ex_datastore="default")


def test_names_are_used_once(driver: OpenNebulaNodeDriver, volume: StratusLabVolume) -> None:
    with pytest.raises(ConflictError, match="already taken"):
        driver.create_volume(1, "data")


@pytest.mark.parametrize(
    "arguments", [(0, "x"), (1, ""), (1, "a;b"), (1, "x" * 129), (1, "x", None, "snapshot"), ("1.5", "x")]
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, arguments: tuple[Any, ...]
) -> None:
    driver.list_volumes()
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError):
        driver.create_volume(*arguments)
    assert len(sandbox.request_log) == 0


def test_visibility_is_stratuslabs_alone(driver: OpenNebulaNodeDriver) -> None:
    with pytest.raises(NotOfferedError, match="ex_visibility"):
        driver.create_volume(1, "x", ex_visibility="public")


def test_snapshots_of_an_attached_volume(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume, kind: str
) -> None:
    with pytest.raises(ConflictError, match="attached to no node"):
        driver.create_volume_snapshot(volume, "first")
    driver.attach_volume(node, volume)
    first = driver.create_volume_snapshot(volume, "first")
    second = driver.create_volume_snapshot(volume)

    listed = driver.list_volume_snapshots(volume)
    assert [(found.id, found.name) for found in listed] == [("0", "first"), ("1", second.name)]
    assert isinstance(first, VolumeSnapshot)
    assert (first.size, first.extra["volume_id"]) == (2, volume.id)
    assert listed[0].created
    with pytest.raises(ConflictError):
        driver.destroy_volume_snapshot(first)
    if kind == "opennebula-5.12":
        with pytest.raises(ConflictError, match="active"):
            driver.destroy_volume_snapshot(second)
    else:
        assert driver.destroy_volume_snapshot(second) is True
        assert [found.id for found in driver.list_volume_snapshots(volume)] == ["0"]
    with pytest.raises(NotOfferedError, match="snapshot"):
        driver.create_volume(1, "from", snapshot=first)
    first.id = "9"
    with pytest.raises(NotFoundError):
        driver.destroy_volume_snapshot(first)


@pytest.mark.parametrize(
    ("driver_failure", "timeout", "states"), [("", 8, ["available"]), ("hangs", 0.4, ["creating"])]
)
def test_a_snapshot_that_is_still_made_is_returned_as_such(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    volume: StratusLabVolume,
    driver_failure: str,
    timeout: float,
    states: list[str],
) -> None:
    driver.attach_volume(node, volume)
    if driver_failure:
        sandbox.faults.add(f"one.vm.disksnapshotcreate:nth=1:driver={driver_failure}")

    driver = type(driver)(stratuslab_user_config=sandbox.config_file, timeout=timeout)
    assert [driver.create_volume_snapshot(volume, "first").state] == states


def test_a_snapshot_that_fails_silently_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, volume: StratusLabVolume
) -> None:
    driver.attach_volume(node, volume)
    sandbox.faults.add("one.vm.disksnapshotcreate:nth=1:driver=fails")

    with pytest.raises(ConflictError, match="made none"):
        driver.create_volume_snapshot(volume, "first")
    assert driver.list_volume_snapshots(volume) == []


@pytest.mark.parametrize(("boot", "detached"), [("nic0", True), ("", True), ("disk0,nic0", False)])
def test_a_volume_that_is_disk_0_is_detached_unless_the_machine_boots_from_it(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, volume: StratusLabVolume, boot: str, detached: bool
) -> None:
    text = f'''NAME = "net-booted"\nCPU = 1\nMEMORY = 64\nDISK = [ IMAGE_ID = {volume.id} ]
        NIC = [ NETWORK_ID = 0 ]
        OS = [ ARCH = "x86_64", BOOT = "{boot}" ]'''
    accepted, number, *_ = sandbox.opennebula("here").oned.call("one.vm.allocate", [LOGIN, text, False])
    assert accepted, number
    [node] = driver.list_nodes()
    driver.ex_wait_for_state(node, "running", timeout=10, wait_period=0.05)
    [disk] = driver.ex_get_node_details(node.id).extra["disks"]
    assert (disk["disk_id"], str(disk["image_id"])) == (0, volume.id)

    if detached:
        assert driver.detach_volume(volume) is True
        assert driver.ex_get_node_details(node.id).extra["disks"] == []
    else:
        with pytest.raises(ConflictError, match="boots from"):
            driver.detach_volume(volume)


def test_the_volumes_of_others_are_not_listed_as_ones_own(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, volume: StratusLabVolume
) -> None:
    """Not even those that everybody may use."""
    oned = sandbox.opennebula("here").oned
    text = "NAME = theirs\nTYPE = DATABLOCK\nSIZE = 1024\nPERSISTENT = YES"
    datastore = next(iter(driver.list_images())).extra["datastore"]
    accepted, pool, *_ = oned.call("one.datastorepool.info", [STRANGER])
    number = next(
        int(store.findtext("ID", ""))
        for store in ElementTree.fromstring(str(pool))
        if store.findtext("NAME") == datastore
    )
    accepted, theirs, *_ = oned.call("one.image.allocate", [STRANGER, text, number])
    assert accepted, theirs
    accepted, *_ = oned.call("one.image.chmod", [STRANGER, theirs, -1, -1, -1, 1, -1, -1, 1, -1, -1])
    assert accepted

    assert [found.id for found in driver.list_volumes()] == [volume.id]
