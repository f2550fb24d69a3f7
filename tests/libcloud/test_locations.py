"""Which locations a driver has, and every way to name one."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeLocation

from stratuslab.client.errors import ConfigurationError, InvalidArgumentError, StratusLabError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.sandbox import Sandbox

FILE = """
[default]
selected_section = lyon
username = demo
password = secret-of-demo
[lyon]
name = Lyon, France
endpoint = https://lyon.example.org/one-proxy/xmlrpc
[paris]
name = Paris
endpoint = https://paris.example.org/one-proxy/xmlrpc
"""


def of_region(sandbox: Sandbox, region: str) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("default", region=region, stratuslab_user_config=sandbox.config_file)


def start(
    driver: StratusLabNodeDriver, name: str, location: NodeLocation | str | None = None
) -> StratusLabNode:
    return driver.create_node(name, driver.list_sizes()[0], driver.list_images()[0], location)


def test_a_driver_of_a_region_knows_no_other_location(two_clouds: Sandbox) -> None:
    """Two pools of one program, in which both have a node of the id 0, as StackStorm and DIRAC make them."""
    here, there = of_region(two_clouds, "here"), of_region(two_clouds, "there")
    first, second = start(here, "first"), start(there, "second")
    there.create_volume(1, "data")

    assert (first.id, second.id) == (second.id, first.id)
    assert [[node.name for node in driver.list_nodes()] for driver in (here, there)] == [
        ["first"],
        ["second"],
    ]
    assert [[location.id for location in driver.list_locations()] for driver in (here, there)] == [
        ["here"],
        ["there"],
    ]
    assert there.default_location.id == "there"
    assert (here.list_volumes(), [it.name for it in there.list_volumes()]) == ([], ["data"])
    for driver, name in ((here, "first"), (there, "second")):
        assert driver.ex_get_node_details("0").name == name
    found = here.ex_get_node_details("0")
    assert found
    assert here.destroy_node(found)
    assert [node.name for node in there.list_nodes()] == ["second"]


def test_what_is_elsewhere_is_refused_by_a_region(two_clouds: Sandbox) -> None:
    here, there = of_region(two_clouds, "here"), of_region(two_clouds, "there")
    node = start(here, "first")
    start(there, "second")
    two_clouds.request_log.clear()

    for change in (
        lambda: there.destroy_node(node),
        lambda: there.list_nodes(ex_location="here"),
        lambda: there.list_volumes(here.default_location),
    ):
        with pytest.raises(
            InvalidArgumentError, match=r"found 'here'; give one of list_locations\(\): there"
        ):
            change()
    assert len(two_clouds.request_log) == 0


@pytest.mark.parametrize("region", ["paris", "Paris"])
def test_a_region_is_an_id_or_a_name(region: str) -> None:
    driver = StratusLabNodeDriver("x", region=region, stratuslab_user_config=io.StringIO(FILE))

    assert [location.id for location in driver.list_locations()] == ["paris"]


@pytest.mark.parametrize("region", ["rome", "", "instance_types", 7])
def test_an_unknown_region_is_an_error_that_lists_them(region: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"the argument region: found .*: lyon, paris$"):
        StratusLabNodeDriver("x", region=region, stratuslab_user_config=io.StringIO(FILE))


def test_region_and_another_default_location_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="found 'lyon', and 'paris' as region"):
        StratusLabNodeDriver(
            "x",
            region="paris",
            stratuslab_default_location="lyon",
            stratuslab_user_config=io.StringIO(FILE),
        )


def test_a_region_does_not_need_the_selected_section() -> None:
    text = FILE.replace("selected_section = lyon", "selected_section = gone")
    with pytest.raises(ConfigurationError):
        StratusLabNodeDriver("x", stratuslab_user_config=io.StringIO(text))

    driver = StratusLabNodeDriver("x", region="paris", stratuslab_user_config=io.StringIO(text))
    assert driver.default_location.name == "Paris"


def test_the_section_default_can_be_the_region() -> None:
    text = FILE.replace("selected_section = lyon", "endpoint = https://one.example.org/one-proxy/xmlrpc")
    driver = StratusLabNodeDriver("x", region="default", stratuslab_user_config=io.StringIO(text))

    assert [location.id for location in driver.list_locations()] == ["default"]


def test_a_region_lasts_through_pickle(two_clouds: Sandbox) -> None:
    again = pickle.loads(pickle.dumps(of_region(two_clouds, "there")))

    assert [location.id for location in again.list_locations()] == ["there"]
    assert again.list_nodes() == []


def test_a_location_is_an_object_an_id_or_a_name_wherever_one_is_taken(two_clouds: Sandbox) -> None:
    """`list_volumes(volume.extra["location"])` is what the scripts of 2014 do."""
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    place = driver.list_locations()[1]
    node = start(driver, "web", place)
    volume = driver.create_volume(1, "data", place)
    image = driver.list_images()[0]

    for location in (place, place.id, place.name, volume.extra["location"], node.extra["location"]):
        assert [it.id for it in driver.list_volumes(location)] == [volume.id]
        assert [it.id for it in driver.list_nodes(ex_location=location)] == [node.id]
        assert [it.id for it in driver.list_nodes(ex_location=[location])] == [node.id]
        assert [it.id for it in driver.list_nodes_in_location(location)] == [node.id]
        assert driver.ex_get_node_details(node.id, location).location is place
        assert driver.ex_find_node(node.extra["token"], location).location is place
        assert driver.ex_get_volume(volume.id, location).location is place
        assert driver.ex_get_image_metadata(image, location).identifier == image.id
        assert len(driver.list_images(location)) == len(driver.list_images(place))
        assert driver.list_sizes(location)
    more = start(driver, "more", place.name)
    assert (more.location, driver.create_volume(1, "more", place.name).location) == (place, place)
    assert [it.location.id for it in driver.list_nodes()] == ["there", "there"]


def test_a_name_of_two_locations_is_none() -> None:
    driver = StratusLabNodeDriver(
        "x", stratuslab_user_config=io.StringIO(FILE.replace("Paris", "Lyon, France"))
    )

    with pytest.raises(InvalidArgumentError, match="found 'Lyon, France'; give one of"):
        driver.list_volumes("Lyon, France")


def test_the_default_location_can_be_changed() -> None:
    driver = StratusLabNodeDriver("x", stratuslab_user_config=io.StringIO(FILE))
    driver.default_location = "Paris"

    assert driver.default_location.id == "paris"
    with pytest.raises(InvalidArgumentError, match="the argument location: found 'rome'"):
        driver.default_location = NodeLocation("rome", "Rome", "IT", driver)


def test_two_computing_elements_of_one_file_do_not_see_each_other(two_clouds: Sandbox) -> None:
    """Each has the driver of its region, names and numbers of jobs are the same at both."""
    elements = {name: of_region(two_clouds, name) for name in ("here", "there")}
    jobs = {name: start(element, "worker-1").id for name, element in elements.items()}
    assert jobs["here"] == jobs["there"]
    two_clouds.clock.step(60)

    assert [len(element.list_nodes()) for element in elements.values()] == [1, 1]
    job = elements["here"].ex_get_node_details(jobs["here"])
    assert job
    elements["here"].destroy_node(job)
    two_clouds.clock.step(60)

    assert elements["here"].ex_get_node_details(jobs["here"]) is None
    assert elements["here"].list_nodes() == []
    assert elements["there"].ex_get_node_details(jobs["there"]).state == "running"
    assert len(elements["there"].list_nodes()) == 1


@pytest.mark.parametrize("argument", ["region", "stratuslab_default_location"])
def test_the_constructor_takes_an_object_an_id_or_a_name(two_clouds: Sandbox, argument: str) -> None:
    config = two_clouds.config_file
    [_, there] = StratusLabNodeDriver("default", stratuslab_user_config=config).list_locations()

    for given in (there, there.id, there.name):
        known: Any = {argument: given}
        driver = StratusLabNodeDriver("default", stratuslab_user_config=config, **known)
        assert driver.default_location.id == there.id
    unknown: Any = {argument: "nowhere"}
    with pytest.raises(StratusLabError, match="found 'nowhere'"):
        StratusLabNodeDriver("default", stratuslab_user_config=config, **unknown)
