"""Nodes and volumes that a program made itself, of plain Libcloud's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import Node, NodeImage, NodeLocation, StorageVolume
from libcloud.compute.types import NodeState

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def driver(two_clouds: Sandbox) -> StratusLabNodeDriver:
    """A driver on two clouds, with a node of id 0 and a volume at each."""
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    for location in driver.list_locations():
        driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0], location)
        driver.create_volume(1, "data", location)
    two_clouds.request_log.clear()
    return driver


def node(driver: StratusLabNodeDriver, **extra: Any) -> Node:
    return Node("0", "mine", NodeState.UNKNOWN, [], [], driver, extra=extra)


def volume(driver: StratusLabNodeDriver, where: NodeLocation, **extra: Any) -> StorageVolume:
    [found] = driver.list_volumes(where)
    return StorageVolume(found.id, "mine", 1, driver, extra=extra)


@pytest.mark.parametrize("place", [lambda there: there, lambda there: there.id], ids=["object", "id"])
def test_they_are_where_their_extra_says(
    two_clouds: Sandbox, driver: StratusLabNodeDriver, place: Callable[..., object]
) -> None:
    here, there = driver.list_locations()
    other = volume(driver, there, location=place(there))

    assert driver.destroy_node(node(driver, location=place(there)))
    assert driver.destroy_volume(other)

    assert [len(driver.list_volumes(it)) for it in (here, there)] == [1, 0]
    assert [it.location.id for it in driver.list_nodes()] == ["here"]


@pytest.mark.parametrize("extra", [{}, {"location": None}, {"owner": "demo"}], ids=repr)
def test_without_a_place_none_of_several_locations_is_guessed(
    two_clouds: Sandbox, driver: StratusLabNodeDriver, extra: dict[str, Any]
) -> None:
    lost = volume(driver, driver.default_location, **extra)
    mine = node(driver, **extra)
    two_clouds.request_log.clear()

    for change in (
        lambda: driver.destroy_node(mine),
        lambda: driver.reboot_node(mine),
        lambda: driver.start_node(mine),
        lambda: driver.stop_node(mine),
        lambda: driver.ex_suspend_node(mine),
        lambda: driver.ex_shutdown_node(mine),
        lambda: driver.ex_save_node(mine),
        lambda: driver.wait_until_running([mine]),
        lambda: driver.destroy_volume(lost),
        lambda: driver.detach_volume(lost),
        lambda: driver.attach_volume(mine, lost),
    ):
        with pytest.raises(InvalidArgumentError, match=r"states no location; .*one of here, there"):
            change()
    assert len(two_clouds.request_log) == 0


@pytest.mark.parametrize("region", ["here", "there"])
def test_without_a_place_they_are_at_the_region(
    two_clouds: Sandbox, driver: StratusLabNodeDriver, region: str
) -> None:
    of_region = StratusLabNodeDriver("default", region=region, stratuslab_user_config=two_clouds.config_file)
    [place] = of_region.list_locations()

    assert of_region.destroy_node(node(of_region))
    assert of_region.destroy_volume(volume(of_region, place))

    assert [len(driver.list_volumes(it)) for it in (region, "here", "there")].count(0) == 2
    assert [it.location.id for it in driver.list_nodes()] == [{"here": "there", "there": "here"}[region]]


@pytest.mark.parametrize(
    "place", ["nowhere", NodeLocation("nowhere", "", "", NOTHING), 7], ids=["id", "object", "number"]
)
def test_at_a_location_that_is_none_nothing_is_ended(
    two_clouds: Sandbox, driver: StratusLabNodeDriver, place: NodeLocation | int | str
) -> None:
    [found] = driver.list_volumes()
    lost = StorageVolume(found.id, "lost", 1, driver, extra={"location": place})
    two_clouds.request_log.clear()

    for change in (
        lambda: driver.destroy_node(node(driver, location=place)),
        lambda: driver.reboot_node(node(driver, location=place)),
        lambda: driver.wait_until_running([node(driver, location=place)]),
        lambda: driver.destroy_volume(lost),
        lambda: driver.detach_volume(lost),
    ):
        with pytest.raises(InvalidArgumentError, match="give one of list_locations"):
            change()
    assert len(two_clouds.request_log) == 0


@pytest.mark.parametrize("thing", [None, "0", 0], ids=repr)
def test_what_is_no_node_or_volume_is_refused(
    two_clouds: Sandbox, driver: StratusLabNodeDriver, thing: Any
) -> None:
    for change in (driver.destroy_node, driver.reboot_node, driver.ex_save_node):
        with pytest.raises(InvalidArgumentError, match=f"found {thing!r}; give a node"):
            change(thing)
    for change_volume in (driver.destroy_volume, driver.detach_volume):
        with pytest.raises(InvalidArgumentError, match=f"found {thing!r}; give a volume"):
            change_volume(thing)
    with pytest.raises(InvalidArgumentError, match=f"found {thing!r}; give a node"):
        driver.attach_volume(thing, driver.create_volume(1, "data"))


def test_a_volume_is_detached_from_nodes_only(driver: StratusLabNodeDriver) -> None:
    no_node: Any = "0"
    with pytest.raises(InvalidArgumentError, match="found '0'; give a node"):
        driver.detach_volume(driver.create_volume(1, "data"), ex_node=no_node)


def test_they_are_waited_for(two_clouds: Sandbox, driver: StratusLabNodeDriver) -> None:
    here, there = driver.list_locations()
    two_clouds.clock.step(60)
    two_clouds.request_log.clear()

    for location in (here, there):
        [(found, addresses)] = driver.wait_until_running([node(driver, location=location)], wait_period=0.01)
        assert (found.location.id, addresses) == (location.id, found.public_ips)
    assert [request.location for request in two_clouds.request_log] == ["here", "there"]


def test_they_are_not_brought_up_to_date(two_clouds: Sandbox, driver: StratusLabNodeDriver) -> None:
    plain: Any = node(driver)
    with pytest.raises(InvalidArgumentError, match=r"give one of list_nodes\(\), or use ex_get_node_details"):
        driver.ex_refresh_node(plain)
    assert len(two_clouds.request_log) == 0


@pytest.mark.parametrize("kind", ["stratuslab", "opennebula-6.10"])
def test_a_node_boots_from_no_volume_of_another_location(kind: str) -> None:
    with Sandbox(locations=["here", "there"], cloud=kind, boot_seconds=0) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        away = driver.create_volume(1, "data", "there")
        image = NodeImage(away.id, "data", driver, extra={"location": "there"})
        sandbox.request_log.clear()

        for arguments in ({"image": image}, {"image": driver.list_images()[0], "ex_volumes": [away]}):
            with pytest.raises(InvalidArgumentError, match=r"the argument (image|ex_volumes): .*'there'"):
                driver.create_node("web", "m1.small", location="here", **arguments)
        assert "one.vm.allocate" not in sandbox.request_log.operations()


def test_the_image_of_a_node_from_a_volume_says_where_it_is(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    away = driver.create_volume(1, "system", "there")
    node = driver.create_node("web", "m1.small", away.id, "there")
    [listed] = driver.list_nodes(ex_location="there", ex_name="web")

    assert (listed.image.id, listed.image.extra["location"]) == (away.id, "there")
    with pytest.raises(InvalidArgumentError, match="found a volume of 'there'"):
        driver.create_node("copy", "m1.small", listed.image, "here")
    assert node.destroy()


def test_a_numbered_volume_without_a_place_is_not_guessed() -> None:
    with Sandbox(locations=["here", "there"], cloud="opennebula-6.10", boot_seconds=0) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        node = driver.create_node("web", "m1.small", "0", "there")
        mine = driver.create_volume(1, "data", "there")
        lost = StorageVolume(mine.id, "data", 1, driver)
        sandbox.request_log.clear()

        for change in (
            lambda: driver.attach_volume(node, lost),
            lambda: driver.detach_volume(lost, ex_node=node),
            lambda: driver.create_node("more", "m1.small", "0", "there", ex_volumes=[lost]),
        ):
            with pytest.raises(InvalidArgumentError, match=r"states no location; .*one of here, there"):
                change()
        assert sandbox.request_log.operations() == []
