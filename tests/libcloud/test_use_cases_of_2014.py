"""The steps of the 13 use cases with which StratusLab tried release 14.06 of the driver.

They found the driver by `set_driver`, images by their identifier and sizes by theirs, named the location
that `default` is or none, and waited with Libcloud's own function.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from libcloud.compute.types import NodeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox


NASTY_NAME = '"tag\'with}very\\\\dangerous\\"characters\\"'
SYSTEMS = ("ttylinux", "Ubuntu", "CentOS")


@pytest.fixture
def started(driver: StratusLabNodeDriver, sandbox: Sandbox) -> Callable[..., StratusLabNode]:
    """Start a node of a system and wait until it runs, as all of them did."""

    def start(system: str = "ttylinux") -> StratusLabNode:
        size = next(size for size in driver.list_sizes() if size.id == "m1.medium")
        image = next(image for image in driver.list_images() if system.lower() in image.name.lower())
        location = next((it for it in driver.list_locations() if it.id == "default"), None)
        node = driver.create_node(name=f"{system}-libcloud-node", size=size, image=image, location=location)
        sandbox.clock.step(60)
        [(running, addresses)] = driver.wait_until_running([node], wait_period=0.01, timeout=120)
        assert (running.uuid, running.image.id) == (node.uuid, node.image.id)
        assert addresses
        return node

    return start


def test_the_driver_is_found_under_the_module_of_14_06(sandbox: Sandbox) -> None:
    script = """
        from libcloud.compute.providers import get_driver, set_driver
        set_driver("stratuslab", "stratuslab.libcloud.compute_driver", "StratusLabNodeDriver")
        driver = get_driver("stratuslab")("default")
        print(driver.list_nodes())
    """
    environment = {"STRATUSLAB_CONFIG": str(sandbox.config_file)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("system", SYSTEMS)
def test_life_of_a_vm(
    driver: StratusLabNodeDriver, started: Callable[..., StratusLabNode], system: str
) -> None:
    node = started(system)

    assert node.state == NodeState.RUNNING
    assert driver.destroy_node(node)


@pytest.mark.parametrize("name", ["testBasicPersistentDiskLifecycle", NASTY_NAME], ids=["plain", "nasty"])
def test_life_of_a_disk(driver: StratusLabNodeDriver, name: str) -> None:
    volume = driver.create_volume(1, name)

    assert (volume.name, volume.size) == (name, 1)
    [listed] = [it for it in driver.list_volumes(volume.extra["location"]) if it.id == volume.id]
    assert (listed.name, listed.size) == (name, 1)
    assert driver.destroy_volume(volume)


def test_a_disk_is_attached_and_detached(
    driver: StratusLabNodeDriver, started: Callable[..., StratusLabNode]
) -> None:
    volume = driver.create_volume(1, "data")
    node = started("Ubuntu")

    assert driver.attach_volume(node, volume)
    assert driver.detach_volume(volume)
    assert driver.destroy_node(node)
    assert driver.destroy_volume(volume)


def test_the_end_of_a_vm_releases_its_disk(
    driver: StratusLabNodeDriver, sandbox: Sandbox, started: Callable[..., StratusLabNode]
) -> None:
    volume = driver.create_volume(1, "data")
    node = started("Ubuntu")
    assert driver.attach_volume(node, volume)

    assert driver.destroy_node(node)
    sandbox.clock.step(60)

    assert driver.destroy_volume(volume)


def test_a_disk_goes_from_one_vm_to_another(
    driver: StratusLabNodeDriver, started: Callable[..., StratusLabNode]
) -> None:
    volume = driver.create_volume(1, "data")

    for node in [started("Ubuntu"), started("Ubuntu")]:
        assert driver.attach_volume(node, volume)
        assert driver.detach_volume(volume)
        assert driver.destroy_node(node)
    assert driver.destroy_volume(volume)
