"""Several locations, of both kinds of cloud: nothing is changed at one that was not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import Node, NodeImage, NodeLocation, StorageVolume, VolumeSnapshot
from libcloud.compute.types import NodeState

from stratuslab.client.errors import InvalidArgumentError, NotOfferedError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A cloud of StratusLab, "old", and two of OpenNebula, "here" (the default location) and "there"."""
    with Sandbox(
        locations=["here", "there", "old:stratuslab"], cloud="opennebula-6.10", boot_seconds=0.04
    ) as sandbox:
        yield sandbox


@pytest.fixture
def driver(sandbox: Sandbox) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, timeout=8)


def changes(driver: StratusLabNodeDriver, **extra: Any) -> dict[str, Callable[[], object]]:
    """Everything that changes something by an object alone, with objects of plain Libcloud's classes."""
    node = Node("0", "mine", NodeState.UNKNOWN, [], [], driver, extra=extra)
    volume = StorageVolume("0", "mine", 1, driver, extra=extra)
    image = NodeImage("0", "mine", driver, extra=extra)
    snapshot = VolumeSnapshot("0", driver, extra={"volume_id": "0", **extra})
    return {
        "destroy_node": lambda: driver.destroy_node(node),
        "reboot_node": lambda: driver.reboot_node(node),
        "start_node": lambda: driver.start_node(node),
        "stop_node": lambda: driver.stop_node(node),
        "ex_start_node": lambda: driver.ex_start_node(node),
        "ex_stop_node": lambda: driver.ex_stop_node(node),
        "ex_suspend_node": lambda: driver.ex_suspend_node(node),
        "ex_shutdown_node": lambda: driver.ex_shutdown_node(node),
        "ex_save_node": lambda: driver.ex_save_node(node),
        "destroy_volume": lambda: driver.destroy_volume(volume),
        "attach_volume": lambda: driver.attach_volume(node, volume),
        "detach_volume": lambda: driver.detach_volume(volume),
        "create_volume_snapshot": lambda: driver.create_volume_snapshot(volume, "mine"),
        "destroy_volume_snapshot": lambda: driver.destroy_volume_snapshot(snapshot),
        "create_image": lambda: driver.create_image(node, "mine"),
        "delete_image": lambda: driver.delete_image(image),
        "copy_image": lambda: driver.copy_image("", image, "mine"),
    }


@pytest.mark.parametrize("name", sorted(changes(None)))  # type: ignore[arg-type]  # only its keys
def test_what_states_no_location_is_not_changed_at_the_default_one(
    sandbox: Sandbox, driver: StratusLabNodeDriver, name: str
) -> None:
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError, match=r"which states no location; .* here, there, old"):
        changes(driver)[name]()
    with pytest.raises(InvalidArgumentError, match=r"found 'nowhere'; give one of list_locations\(\): here"):
        changes(driver, location="nowhere")[name]()
    # A cloud that changes no images says so first, and may be asked for its kind.
    assert set(sandbox.request_log.operations()) <= {"one.system.version"}


def test_an_image_is_changed_where_it_is(driver: StratusLabNodeDriver) -> None:
    driver.copy_image("there", NodeImage("0", "mine", driver), "copy")
    [copy] = [image for image in driver.list_images("there") if image.name == "copy"]
    here = [image.id for image in driver.list_images("here")]

    with pytest.raises(InvalidArgumentError, match="found 'here', and the image is at 'there'"):
        driver.copy_image("here", copy, "again")
    assert driver.delete_image(copy)
    assert [image.id for image in driver.list_images("here")] == here
    assert "copy" not in [image.name for image in driver.list_images("there")]


def test_images_of_a_stratuslab_cloud_are_not_changed_whatever_is_given(driver: StratusLabNodeDriver) -> None:
    for change in (
        lambda: driver.copy_image("old", NodeImage("0", "mine", driver), "copy"),
        lambda: driver.delete_image(NodeImage("0", "mine", driver, extra={"location": "old"})),
    ):
        with pytest.raises(NotOfferedError):
            change()


WAYS: dict[str, Callable[[NodeLocation], NodeLocation | str]] = {
    "object": lambda place: place,
    "id": lambda place: place.id,
    "name": lambda place: place.name,
    "other driver's": lambda place: NodeLocation(place.id, "x", "x", NOTHING),
}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("place", ["there", "old"])
def test_a_location_is_an_object_an_id_or_a_name_wherever_one_is_taken(
    driver: StratusLabNodeDriver, way: str, place: str
) -> None:
    """Every method of both kinds of cloud with an argument for a location."""
    meant = next(it for it in driver.list_locations() if it.id == place)
    given = WAYS[way](meant)
    size, image = driver.list_sizes(given)[0], driver.list_images(given)[0]

    nodes = [
        driver.create_node("a", size, image, given),
        driver.create_node("b", size, image, location=given),
        driver.create_node("c", size, image, ex_availability_zone=given),
        *driver.ex_create_nodes(1, "d", size, image, given),
    ]
    volume = driver.create_volume(1, "data", given)

    assert {*(node.location.id for node in nodes), volume.location.id} == {place}
    ids = {node.id for node in nodes}
    assert {it.id for it in driver.list_nodes(ex_location=given)} == ids
    assert {it.id for it in driver.list_nodes(ex_location=[given, "here"])} == ids
    assert {it.id for it in driver.list_nodes_in_location(given)} == ids
    assert driver.ex_get_node_details(nodes[0].id, given).name == "a"
    assert driver.ex_find_node(nodes[1].extra["token"], given).name == "b"
    assert [it.id for it in driver.list_volumes(given) if it.name == "data"] == [volume.id]
    assert driver.ex_get_volume(volume.id, given).location.id == place
    assert {it.extra["location"] for it in driver.ex_list_networks(given)} == {place}
    if place == "old":
        assert driver.ex_get_image_metadata(image, given).identifier == image.id
    else:
        with pytest.raises(NotOfferedError, match="no Marketplace describes"):
            driver.ex_get_image_metadata(image, given)
    driver.default_location = given
    assert driver.default_location is meant


@pytest.mark.parametrize("way", ["id", "name"])
def test_a_region_is_an_id_or_a_name_of_either_kind(
    sandbox: Sandbox, driver: StratusLabNodeDriver, way: str
) -> None:
    for place in driver.list_locations():
        of_region = StratusLabNodeDriver(
            region=str(WAYS[way](place)), stratuslab_user_config=sandbox.config_file
        )
        assert [it.id for it in of_region.list_locations()] == [place.id]
        assert of_region.list_nodes() == []


@pytest.mark.parametrize("argument", ["networks", "ex_network"])
@pytest.mark.parametrize(("of", "at"), [("here", "there"), ("here", "old"), ("old", "here")])
def test_a_network_of_another_location_is_refused(
    sandbox: Sandbox, driver: StratusLabNodeDriver, argument: str, of: str, at: str
) -> None:
    """Its number may be that of another network there."""
    network = driver.ex_list_networks(of)[0]
    image = driver.list_images(at)[0]
    size = driver.list_sizes()[0]
    given: Any = {argument: [network] if argument == "networks" else network}

    with pytest.raises(InvalidArgumentError, match=f"{argument}: found a network of '{of}'") as caught:
        driver.create_node("web", size, image, location=at, **given)

    assert f"ex_list_networks('{at}')" in str(caught.value)
    assert driver.list_nodes() == []
