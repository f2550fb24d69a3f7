"""What programs that were written for other drivers do, each in the manner of one that stumbled."""

from __future__ import annotations

import datetime
import inspect
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.types import NodeState

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from stratuslab.libcloud.node import StratusLabNode


def start(driver: StratusLabNodeDriver, **arguments: Any) -> StratusLabNode:
    given = {"name": "web", "size": driver.list_sizes()[0], "image": driver.list_images()[0]}
    return driver.create_node(**{**given, **arguments})


@pytest.mark.parametrize(
    "size",
    [
        NodeSize(
            id="m1.small",
            name=NOTHING,
            ram=NOTHING,
            disk=NOTHING,
            bandwidth=NOTHING,
            price=NOTHING,
            driver=NOTHING,
        ),
        NodeSize(
            id=NOTHING,
            name="m1.small",
            ram=NOTHING,
            disk=NOTHING,
            bandwidth=NOTHING,
            price=NOTHING,
            driver=NOTHING,
        ),
        NodeSize("m1.small", "", 0, 0, 0, 0.0, NOTHING),
        "m1.small",
    ],
    ids=["id", "name", "nothing", "text"],
)
def test_a_size_that_is_an_id_alone_is_looked_up(
    driver: StratusLabNodeDriver, sandbox: Sandbox, size: NodeSize | str
) -> None:
    """StackStorm and Ansible keep the ids of sizes."""
    node = start(driver, size=size)

    assert (node.size.id, node.size.ram, node.size.vcpus) == ("m1.small", 1536, 1)
    assert node.extra["ram_mib"] == 1536
    assert driver.ex_get_size("m1.small").ram == 1536


@pytest.mark.parametrize(
    "size",
    [
        NodeSize(
            id="m9", name=NOTHING, ram=NOTHING, disk=NOTHING, bandwidth=NOTHING, price=NOTHING, driver=NOTHING
        ),
        "m9",
        None,
        7,
    ],
    ids=["id", "text", "none", "number"],
)
def test_an_unknown_size_is_an_error_that_lists_them(
    driver: StratusLabNodeDriver, sandbox: Sandbox, size: Any
) -> None:
    image = driver.list_images()[0]
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError, match=r"the argument size: found .*: t1.micro, m1.small, "):
        driver.create_node("web", size, image)
    with pytest.raises(
        InvalidArgumentError, match=r"the argument size_id: found 'm9'; .*: t1.micro, m1.small, "
    ):
        driver.ex_get_size("m9")
    assert len(sandbox.request_log) == 0


def test_an_image_may_be_its_id(driver: StratusLabNodeDriver) -> None:
    identifier = driver.list_images()[0].id

    assert start(driver, image=identifier).image.id == identifier
    assert start(driver, image=NodeImage(identifier, NOTHING, NOTHING)).image.id == identifier


@pytest.mark.parametrize("kind", ["stratuslab", "opennebula-6.10"])
@pytest.mark.parametrize("image", ["ubuntu", NodeImage("ubuntu", NOTHING, NOTHING)], ids=["text", "object"])
def test_an_unknown_image_is_an_error_that_says_where_they_are_listed(
    kind: str, image: NodeImage | str
) -> None:
    with Sandbox(locations=["here"], cloud=kind) as sandbox:
        driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file)
        with pytest.raises(
            InvalidArgumentError, match=r"image: found the id 'ubuntu'; .*list_images\('here'\)"
        ):
            driver.create_node("web", "m1.small", image)
        assert "one.vm.allocate" not in sandbox.request_log.operations()


def test_unknown_arguments_of_the_driver_are_taken_with_a_warning(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """jupyterhub, VMDIRAC and elasticluster pass what OpenStack's driver takes."""
    with caplog.at_level(logging.WARNING, "stratuslab"):
        driver = StratusLabNodeDriver(
            "demo",
            stratuslab_user_config=sandbox.config_file,
            ex_force_auth_version="3.x_password",
            time_out=7,
        )

    assert driver.list_nodes() == []
    assert [record.getMessage() for record in caplog.records if record.name.startswith("stratuslab")] == [
        "the driver knows no argument 'ex_force_auth_version' and ignores it",
        "the driver knows no argument 'time_out' and ignores it; did you mean 'timeout'?",
    ]


def test_unknown_arguments_of_a_node_are_an_error_that_names_the_nearest(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    with pytest.raises(TypeError, match=r"'ex_user_data'; did you mean 'ex_userdata'\?$"):
        start(driver, ex_user_data="#!/bin/sh")
    with pytest.raises(TypeError, match=r"'ex_security_groups'$"):
        start(driver, ex_security_groups=["default"])
    assert "one.vm.allocate" not in sandbox.request_log.operations()
    assert list(inspect.signature(driver.create_node).parameters)[:5] == [
        "name",
        "size",
        "image",
        "location",
        "auth",
    ]


def test_a_node_needs_no_name_and_no_order(driver: StratusLabNodeDriver) -> None:
    """As `create_node(**kwargs)` of 14.06."""
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    first = driver.create_node(image=image, size=size)
    second = driver.create_node(size=size, name="two", image=image)

    assert [node.name for node in driver.list_nodes()] == [first.name, "two"] == ["one-0", second.name]


def test_the_attributes_of_14_06(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)

    assert [size.id for size in driver.sizes] == [size.id for size in driver.list_sizes()]
    assert driver.locations == {location.id: location for location in driver.list_locations()}
    assert driver.default_location is driver.locations["here"]


def test_the_image_of_a_node_started_from_a_volume_is_the_volume(driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "root")
    node = start(driver, image=NodeImage(volume.id, volume.name, driver))

    assert node.image.id == volume.id
    assert [it.image.id for it in driver.list_nodes()] == [volume.id]


def test_a_cache_of_nodes_finds_the_state(driver: StratusLabNodeDriver) -> None:
    """salt writes `vars(node)` into its cache."""
    node = start(driver)

    assert vars(node)["state"] == NodeState.PENDING
    assert vars(driver.list_nodes()[0])["state"] == NodeState.PENDING


def test_extra_is_plain_data_and_times_are_attributes_beside(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    """msgpack and `json.dumps` take no datetime, no tuple of ours and no location."""
    node = start(driver, ex_metadata={"role": "web"})
    sandbox.clock.step(60)
    running = driver.ex_get_node_details(node.id)
    image = driver.list_images()[0]
    volume = driver.create_volume(1, "data")
    node.destroy()
    sandbox.clock.step(60)
    ended = driver.ex_refresh_node(node)

    for thing in (node, running, ended, image, volume, node.size, *driver.list_sizes()):
        assert json.loads(json.dumps(thing.extra)) == thing.extra
    assert isinstance(image.created, datetime.datetime)
    assert datetime.datetime.fromisoformat(image.extra["created"]) == image.created
    assert (image.extra["endorsed"], image.extra["valid"]) == (
        image.endorsed.isoformat(),
        image.valid.isoformat(),
    )
    assert running.ended_at is None
    assert running.extra["history"][0]["started"] == running.history[0].started.isoformat()
    assert ended.extra["ended_at"] == ended.ended_at.isoformat()
    assert ended.ended_at.tzinfo is not None


def test_nodes_start_and_stop_by_the_names_of_other_drivers(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    node = start(driver)
    sandbox.clock.step(60)

    assert driver.ex_stop_node(node)
    sandbox.clock.step(60)
    assert node.state == NodeState.STOPPED
    assert driver.ex_start_node(node)
    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING


METADATA = {
    "role": "web",
    "salt-cloud profile": 'née "π" & = %\n',
    "empty": "",
    "smile": "\U0001f600",
    "a\\": "$",
}


def test_metadata_are_kept_with_the_node(driver: StratusLabNodeDriver) -> None:
    node = start(driver, ex_metadata=METADATA)

    assert node.extra["metadata"] == METADATA
    assert driver.list_nodes()[0].extra["metadata"] == METADATA
    assert driver.ex_get_node_details(node.id).extra["metadata"] == METADATA
    assert start(driver).extra["metadata"] == {}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("role=web", "the argument ex_metadata: found a str; give a dictionary"),
        ({"role": 7}, r"the argument ex_metadata\['role'\]: found a int; give a string"),
        ({7: "x"}, "the argument ex_metadata: found the key 7; give text"),
        ({"": "x"}, "the argument ex_metadata: found the key ''; give text"),
        ({"half": "\ud800"}, "the argument ex_metadata: has text with a surrogate"),
    ],
)
def test_metadata_that_are_no_texts_are_refused(
    driver: StratusLabNodeDriver, sandbox: Sandbox, metadata: Any, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        start(driver, ex_metadata=metadata)
    assert "one.vm.allocate" not in sandbox.request_log.operations()


def test_an_availability_zone_is_a_location(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)

    assert start(driver, ex_availability_zone="there").location.id == "there"
    assert start(driver, ex_availability_zone="there", location="there").location.id == "there"
    with pytest.raises(InvalidArgumentError, match="ex_availability_zone: found 'nova'; give one of"):
        start(driver, ex_availability_zone="nova")
    with pytest.raises(InvalidArgumentError, match="ex_availability_zone: found 'there', and another"):
        start(driver, ex_availability_zone="there", location="here")


def status_of_job(driver: StratusLabNodeDriver, job: str) -> str:
    """Decide as DIRAC's CloudComputingElement: no node is "Deleted", a stopped one "Done", any other runs."""
    node = driver.ex_get_node_details(job.replace("cloud://", "", 1))
    if not node:
        return "Deleted"
    return "Done" if node.state == NodeState.STOPPED else "Running"


def test_a_job_whose_node_has_ended_does_not_run_for_ever(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    node = start(driver, name="VMDIRAC3_0", ex_keyname=None, ex_config_drive=True)
    job = f"cloud://{node.id}"
    sandbox.clock.step(60)
    assert status_of_job(driver, job) == "Running"

    found = driver.ex_get_node_details(node.id)
    assert found
    driver.destroy_node(found)
    sandbox.clock.step(60)

    assert status_of_job(driver, job) == "Deleted"
    assert driver.ex_get_node_details(node.id) is None
    assert (driver.ex_refresh_node(node).state, node.extra["state"]) == (NodeState.TERMINATED, "DONE")


@pytest.mark.slow
def test_types_are_as_narrow_as_they_are(tmp_path: Path) -> None:
    """tox runs pyright on the same program: its package fetches a program when it is first used."""
    program = Path(__file__).with_name("typed_program.py")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, program],
        cwd=program.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout == "Success: no issues found in 1 source file\n"
