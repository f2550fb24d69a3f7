"""Volumes: what PDisk can do, through Libcloud."""

from __future__ import annotations

import copy
import pickle
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import StorageVolume, VolumeSnapshot
from libcloud.compute.types import StorageVolumeState

from stratuslab.client.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
)
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver, StratusLabVolume

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.sandbox import Sandbox

NOBODYS = "95b75092-17d2-459f-9fa0-cd1deaa721f1"


@pytest.fixture
def node(driver: StratusLabNodeDriver, sandbox: Sandbox) -> StratusLabNode:
    """A running node; the log is empty."""
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    sandbox.clock.step(60)
    assert node.host
    sandbox.request_log.clear()
    return node


def own(driver: StratusLabNodeDriver) -> list[StorageVolume]:
    return [volume for volume in driver.list_volumes() if not volume.extra["snapshot_of"]]


def test_a_new_volume_is_known_at_once_and_in_the_list(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volume = driver.create_volume(5, "data one")
    assert sandbox.request_log.operations() == ["POST /disks/", "GET /disks/UUID"]

    [listed] = driver.list_volumes()
    for found in (volume, listed):
        assert uuid.UUID(found.id)
        assert (found.id, found.name, found.size) == (volume.id, "data one", 5)
        assert type(found.size) is int
        assert found.state == StorageVolumeState.AVAILABLE
        assert (found.extra["location"], found.extra["owner"], found.extra["count"]) == ("here", "demo", 0)
    assert (volume.extra["type"], volume.extra["visibility"]) == ("DATA_IMAGE_RAW_READ_WRITE", "private")
    assert sandbox.request_log.operations()[2:] == ["GET /disks/"]


def test_a_volume_by_its_id_tells_type_and_visibility(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(5, "data", ex_visibility="public")
    sandbox.request_log.clear()

    found = driver.ex_get_volume(volume.id)

    assert (found.id, found.extra["visibility"]) == (volume.id, "public")
    assert found.extra["type"] == "DATA_IMAGE_RAW_READ_WRITE"
    assert sandbox.request_log.operations() == ["GET /disks/UUID"]


@pytest.mark.parametrize("size", [1, 999, 1000, 1024, "7"])
def test_sizes_are_numbers_however_the_server_writes_them(driver: StratusLabNodeDriver, size: Any) -> None:
    driver.create_volume(size, "data")

    [volume] = driver.list_volumes()
    assert volume.size == int(size)
    assert driver.ex_get_volume(volume.id).size == int(size)


@pytest.mark.parametrize("size", [0, 1025, -1, 1.5, "many", None, True])
def test_a_size_beyond_the_clouds_is_refused(
    driver: StratusLabNodeDriver, sandbox: Sandbox, size: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument size"):
        driver.create_volume(size, "data")
    assert len(sandbox.request_log) == 0


def test_unknown_visibility_and_snapshots_are_refused(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    unknown: Any = "friends"
    with pytest.raises(InvalidArgumentError, match="the argument ex_visibility: found 'friends'"):
        driver.create_volume(1, "data", ex_visibility=unknown)
    with pytest.raises(InvalidArgumentError, match="the argument snapshot"):
        driver.create_volume(1, "data", snapshot=VolumeSnapshot("x", driver))
    with pytest.raises(InvalidArgumentError, match="the argument name"):
        driver.create_volume(1, "tab\there")
    assert len(sandbox.request_log) == 0


@pytest.mark.parametrize("name", ["données ☃", 'a "b" \\ c & d=e', "back\\", "", "\\u0041", "100%+1"])
def test_names_survive(driver: StratusLabNodeDriver, name: str) -> None:
    volume = driver.create_volume(1, name)

    assert volume.name == name
    assert driver.list_volumes()[0].name == name
    assert driver.ex_get_volume(volume.id).name == name


def test_an_owner_with_backslashes_does_not_break_the_list() -> None:
    from stratuslab.sandbox import Sandbox

    owner = r"CN=Jane\, Doe,O=A\B"
    with Sandbox(locations=["here"], users={owner: "x"}) as sandbox:
        driver = StratusLabNodeDriver(owner, "x", host=f"{sandbox.url}/here")
        driver.create_volume(1, r"tag \ with \"both\"")

        [volume] = driver.list_volumes()
        assert (volume.extra["owner"], volume.name) == (owner, r"tag \ with \"both\"")


def test_the_root_disk_of_a_running_node_can_be_told_apart(
    driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    volume = driver.create_volume(1, "mine")
    volumes = driver.list_volumes()

    assert len(volumes) == 2
    assert [it.id for it in volumes if it.extra["snapshot_of"] is None] == [volume.id]
    root = next(it for it in volumes if it.id != volume.id)
    assert root.extra["identifier"] == f"snapshot:{root.extra['snapshot_of']}"
    assert root.state == StorageVolumeState.INUSE


def test_volumes_are_those_of_the_default_location(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    there = driver.list_locations()[1]
    volume = driver.create_volume(1, "over there", there)

    assert (driver.list_volumes(), volume.extra["location"]) == ([], "there")
    assert [it.id for it in driver.list_volumes(there)] == [volume.id]
    assert driver.ex_get_volume(volume.id, there).name == "over there"
    with pytest.raises(NotFoundError):
        driver.ex_get_volume(volume.id)
    assert volume.destroy()
    assert driver.list_volumes(there) == []


def test_attach_and_detach(sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode) -> None:
    volume = driver.create_volume(1, "data")
    sandbox.request_log.clear()

    assert driver.attach_volume(node, volume, device="/dev/vdb") is True
    assert sandbox.request_log.operations() == ["one.vm.info", "POST /disks/UUID/mounts/"]
    assert (volume.state, volume.extra["device"]) == (StorageVolumeState.INUSE, "vdz")
    assert (volume.extra["node"], volume.extra["count"]) == (node.id, 1)
    assert own(driver)[0].state == StorageVolumeState.INUSE
    sandbox.request_log.clear()

    assert driver.detach_volume(volume) is True
    assert sandbox.request_log.operations() == ["DELETE /disks/UUID/mounts/MOUNT"]
    assert (volume.state, volume.extra["device"]) == (StorageVolumeState.AVAILABLE, None)
    assert (volume.extra["node"], volume.extra["count"]) == (None, 0)
    assert own(driver)[0].state == StorageVolumeState.AVAILABLE


def test_the_methods_of_a_volume(driver: StratusLabNodeDriver, node: StratusLabNode) -> None:
    volume = driver.create_volume(1, "data")

    assert volume.attach(node)
    assert volume.detach()
    assert volume.destroy()
    assert own(driver) == []


def test_detach_asks_where_it_does_not_know(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    driver.attach_volume(node, driver.create_volume(1, "data"))
    [listed] = own(driver)
    sandbox.request_log.clear()

    assert listed.detach()
    assert sandbox.request_log.operations() == [
        "GET /disks/UUID/mounts/",
        "DELETE /disks/UUID/mounts/MOUNT",
    ]
    with pytest.raises(ConflictError, match="is attached to no node"):
        listed.detach()


def test_detach_does_not_guess_between_two_nodes(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    other = driver.create_node("other", driver.list_sizes()[0], driver.list_images()[0])
    sandbox.clock.step(60)
    volume = driver.create_volume(1, "data")
    for it in (node, other):
        assert driver.attach_volume(it, volume)
    found = driver.ex_get_volume(volume.id)

    for each in (found, volume):
        with pytest.raises(ConflictError, match=r"is attached to the nodes 0, 1; give ex_node"):
            driver.detach_volume(each)
    assert driver.detach_volume(found, ex_node=node)
    assert (found.state, found.extra["count"]) == (StorageVolumeState.INUSE, 1)
    with pytest.raises(ConflictError, match="is not attached to node 0"):
        driver.detach_volume(driver.ex_get_volume(volume.id), ex_node=node)
    assert driver.detach_volume(driver.ex_get_volume(volume.id))
    assert driver.destroy_volume(volume)


def test_detach_from_the_node_that_is_named_not_from_the_last_one(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    other = driver.create_node("other", driver.list_sizes()[0], driver.list_images()[0])
    sandbox.clock.step(60)
    volume = driver.create_volume(1, "data")
    for it in (node, other):
        assert driver.attach_volume(it, volume)

    assert driver.detach_volume(volume, ex_node=node)

    [mount] = sandbox.location("here").disks.mounts(volume.id)
    assert mount.vm_id == other.id


def test_detach_asks_where_what_it_knew_is_over(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    other = driver.create_node("other", driver.list_sizes()[0], driver.list_images()[0])
    sandbox.clock.step(60)
    volume = driver.create_volume(1, "data")
    driver.attach_volume(node, volume)
    moved = driver.ex_get_volume(volume.id)
    assert moved.detach()
    assert moved.attach(other)

    with pytest.raises(ConflictError, match="is not attached to node 0"):
        driver.detach_volume(volume, ex_node=node)
    assert driver.detach_volume(volume)
    assert driver.ex_get_volume(volume.id).extra["count"] == 0
    with pytest.raises(ConflictError, match="is attached to no node"):
        driver.detach_volume(moved)


def test_a_node_of_another_location_has_no_volume_of_this_one(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    here, there = driver.list_locations()
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    nodes = [driver.create_node("web", size, image, location) for location in (here, there)]
    two_clouds.clock.step(60)
    volume = driver.create_volume(1, "data")
    driver.attach_volume(nodes[0], volume)
    assert nodes[0].id == nodes[1].id

    refusal = "the volume is at 'here' and the node at 'there'"
    with pytest.raises(InvalidArgumentError, match=refusal):
        driver.detach_volume(volume, ex_node=nodes[1])
    with pytest.raises(InvalidArgumentError, match=refusal):
        driver.create_node("other", size, image, there, ex_volumes=[volume])
    assert driver.ex_get_volume(volume.id).extra["count"] == 1


def test_a_volume_from_the_start_of_a_node_cannot_be_unplugged(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volume = driver.create_volume(1, "data")
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0], ex_volumes=[volume])
    sandbox.clock.step(60)
    assert node.host

    with pytest.raises(ConflictError, match="was attached when node 0 started"):
        driver.detach_volume(own(driver)[0])
    with pytest.raises(ConflictError, match="in use"):
        volume.destroy()
    node.destroy()
    sandbox.clock.step(60)
    assert node.host
    assert volume.destroy()


@pytest.mark.parametrize("read_before", [True, False], ids=["read-before", "not-read"])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda volume: pickle.loads(pickle.dumps(volume))]
)
def test_a_copy_of_a_volume_is_of_use(
    driver: StratusLabNodeDriver, sandbox: Sandbox, again: Callable[..., object], read_before: bool
) -> None:
    volume = driver.create_volume(1, "data")
    expected = dict(driver.ex_get_volume(volume.id).extra)
    sandbox.request_log.clear()
    if read_before:
        volume.extra["mine"] = expected["mine"] = "kept"

    found = again(volume)

    assert isinstance(found, StratusLabVolume)
    assert found.extra == expected
    assert (found.id, found.uuid, found.location.id) == (volume.id, volume.uuid, "here")
    assert len(sandbox.request_log) == 0
    assert found.destroy()
    assert driver.list_volumes() == []


def test_a_volume_has_all_that_libcloud_s_own_has(driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "data")
    plain = StorageVolume("x", "data", 1, driver)

    assert vars(plain).keys() <= vars(volume).keys() | {"extra"}
    assert repr(volume) == f"<StorageVolume id={volume.id} size=1 driver={driver.name}>"


def test_the_extra_of_a_volume_is_the_caller_s(driver: StratusLabNodeDriver, node: StratusLabNode) -> None:
    volume = driver.create_volume(1, "data")
    volume.extra["mine"] = 1
    assert volume.extra["mine"] == 1

    volume.extra = {"mine": 2}
    assert driver.attach_volume(node, volume)
    assert volume.extra["mine"] == 2
    assert (volume.extra["device"], volume.extra["node"]) == ("vdz", node.id)


def test_attach_needs_a_running_node(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    volume = driver.create_volume(1, "data")

    with pytest.raises(ConflictError, match="node 0 is PENDING; a volume can only be attached to a running"):
        driver.attach_volume(node, volume)
    assert "POST /disks/UUID/mounts/" not in sandbox.request_log.operations()


def test_attach_refuses_a_volume_of_another_location(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    volume = driver.create_volume(1, "data", driver.list_locations()[1])
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    two_clouds.request_log.clear()

    with pytest.raises(InvalidArgumentError, match="the volume is at 'there' and the node at 'here'"):
        driver.attach_volume(node, volume)
    assert len(two_clouds.request_log) == 0


def test_the_clouds_refusals_are_errors_of_their_own_with_its_words(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    volume = driver.create_volume(1, "data")
    driver.attach_volume(node, volume)
    stranger = StratusLabNodeDriver("guest", "guest-pass", host=f"{sandbox.url}/here")

    with pytest.raises(
        ConflictError, match=r"DELETE /disks/UUID: .* 409 Conflict: disk .* is in use"
    ) as refusal:
        driver.destroy_volume(volume)
    assert refusal.value.http_code == 409
    with pytest.raises(ForbiddenError, match="403 Forbidden: Mount already exists"):
        driver.attach_volume(node, volume)
    with pytest.raises(ForbiddenError, match="403 Forbidden: insufficient access rights"):
        stranger.ex_get_volume(volume.id)
    with pytest.raises(NotFoundError, match=f"404 Not Found: disk .{NOBODYS}. does not exist"):
        driver.ex_get_volume(NOBODYS)


@pytest.mark.parametrize("volume_id", ["../..", "", None, 7, f"{NOBODYS}/mounts", f"{NOBODYS}?x=y"])
def test_what_is_no_volume_is_refused(driver: StratusLabNodeDriver, sandbox: Sandbox, volume_id: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument volume_id: found the id"):
        driver.ex_get_volume(volume_id)
    with pytest.raises(InvalidArgumentError, match="the argument volume: found the id"):
        driver.destroy_volume(StorageVolume(volume_id, "x", 1, driver))
    assert len(sandbox.request_log) == 0


def test_a_volume_object_of_plain_libcloud_is_understood(
    driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    volume = driver.create_volume(1, "data")
    plain = StorageVolume(volume.id, "data", 1, driver)

    assert driver.attach_volume(node, plain)
    assert driver.detach_volume(plain)
    assert driver.destroy_volume(plain)


def test_a_volume_that_does_not_say_where_it_is_is_where_the_node_is(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    there = driver.list_locations()[1]
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    node = driver.create_node("web", size, image, there)
    two_clouds.clock.step(60)
    plain = StorageVolume(driver.create_volume(1, "data", there).id, "data", 1, driver)

    assert driver.attach_volume(node, plain)
    assert driver.detach_volume(plain)
    plain.extra.clear()
    assert driver.attach_volume(node, plain)
    plain.extra.clear()
    assert driver.detach_volume(plain, ex_node=node)
    plain.extra.clear()
    assert driver.create_node("other", size, image, there, ex_volumes=[plain]).extra["disks"][2]["type"] == (
        "block"
    )


def test_an_opennebula_3_2_without_stratuslab_has_no_volumes(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("demo", "demo-pass", host=f"{sandbox.url}/here/RPC2")

    with pytest.raises(ValueError, match="pdisk_endpoint: is missing"):
        driver.list_volumes()


def test_attach_needs_a_running_node_even_where_it_has_a_host(
    sandbox: Sandbox, driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    volume = driver.create_volume(1, "data")
    driver.ex_suspend_node(node)

    with pytest.raises(ConflictError, match="can only be attached to a running"):
        driver.attach_volume(node, volume)
    assert "POST /disks/UUID/mounts/" not in sandbox.request_log.operations()


def test_a_volume_from_the_start_of_a_node_stays_whoever_asks(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volume = driver.create_volume(1, "data")
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    node = driver.create_node("web", size, image, ex_volumes=[volume])
    sandbox.clock.step(60)
    sandbox.request_log.clear()

    with pytest.raises(ConflictError, match="lasts until the end of the node"):
        driver.detach_volume(volume, ex_node=node)
    assert sandbox.request_log.operations() == ["GET /disks/UUID/mounts/"]


def test_a_volume_that_knows_its_node_and_no_count_is_free_after_it(
    driver: StratusLabNodeDriver, node: StratusLabNode
) -> None:
    volume = driver.create_volume(1, "data")
    driver.attach_volume(node, volume)
    volume.extra = {"location": "here", "node": node.id}

    assert driver.detach_volume(volume)
    assert volume.extra["count"] == 0
    assert volume.state == StorageVolumeState.AVAILABLE
