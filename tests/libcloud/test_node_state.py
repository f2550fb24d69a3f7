"""The life of a node as its object tells it, and what telling costs."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest
from libcloud.compute.base import Node
from libcloud.compute.types import NodeState

from stratuslab.client.errors import ConflictError, ForbiddenError
from stratuslab.libcloud.stratuslab_driver import ImageDescription, StratusLabNode, StratusLabNodeDriver

if TYPE_CHECKING:
    from stratuslab.sandbox import Sandbox


@pytest.fixture
def patient(sandbox: Sandbox) -> StratusLabNodeDriver:
    """A driver that believes what it knows of a node for an hour."""
    return StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, ex_state_max_age=3600)


def started(driver: StratusLabNodeDriver) -> StratusLabNode:
    return driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])


def running(driver: StratusLabNodeDriver, sandbox: Sandbox) -> StratusLabNode:
    node = started(driver)
    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING
    return node


def test_polling_sees_the_way_of_a_node(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = started(driver)
    seen = [node.state]
    while seen[-1] != NodeState.RUNNING:
        sandbox.clock.step(0.1)
        if node.state != seen[-1]:
            seen.append(node.state)

    assert seen == [NodeState.PENDING, NodeState.STARTING, NodeState.RUNNING]
    assert node.host == node.extra["host"] == driver.list_nodes()[0].host is not None


def test_reading_a_fresh_node_sends_nothing(sandbox: Sandbox, patient: StratusLabNodeDriver) -> None:
    started(patient)
    sandbox.clock.step(60)
    [node] = patient.list_nodes()
    sandbox.request_log.clear()

    assert (node.state, bool(node.host)) == (NodeState.RUNNING, True)
    assert len(sandbox.request_log) == 0


def test_reading_an_old_node_asks_once(sandbox: Sandbox, patient: StratusLabNodeDriver) -> None:
    node = started(patient)
    sandbox.clock.step(60)
    node.expire()
    sandbox.request_log.clear()

    assert (node.state, bool(node.host)) == (NodeState.RUNNING, True)
    assert sandbox.request_log.operations() == ["one.vm.info"]


def test_a_terminated_node_is_never_asked_again(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = started(driver)
    node.destroy()
    assert node.state == NodeState.TERMINATED
    sandbox.request_log.clear()

    assert (node.state, node.host) == (NodeState.TERMINATED, None)
    assert len(sandbox.request_log) == 0


def test_a_node_that_the_cloud_forgot_is_terminated(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = started(driver)
    node.id = "4711"

    assert node.state == NodeState.TERMINATED


def test_repr_comparison_copying_and_pickling_send_nothing(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = started(driver)
    sandbox.request_log.clear()

    assert repr(node).startswith(f"<Node: uuid={node.uuid}, name=web, state=PENDING, public_ips=['")
    assert node != copy.copy(node)
    others: list[object] = [started]
    assert node not in others
    assert copy.copy(node).id == copy.deepcopy(node).id == node.id
    assert len(sandbox.request_log) == 0


def test_a_pickled_node_is_of_use(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = pickle.loads(pickle.dumps(started(driver)))
    assert len(driver.list_nodes()) == 1

    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING
    assert node.destroy()
    sandbox.clock.step(60)
    assert driver.list_nodes() == []


def test_destroy_asks_once_also_when_the_image_is_gone(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = started(driver)
    for identifier in {image.id for image in driver.list_images()}:
        sandbox.location("here").catalogue.expire(identifier)
    sandbox.request_log.clear()

    assert node.destroy() is True
    assert sandbox.request_log.operations() == ["one.vm.action"]
    assert driver.list_nodes() == []


def test_destroying_again_and_destroying_what_never_was_succeeds(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = started(driver)

    assert driver.destroy_node(node) is True
    assert driver.destroy_node(node) is True
    node.id = "4711"
    assert driver.destroy_node(node) is True


def test_a_node_is_destroyed_in_whatever_state(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    oned = sandbox.location("here").oned
    for state, lcm_state in ((1, 0), (2, 0), (3, 1), (3, 2), (3, 3), (4, 0), (5, 0), (7, 0)):
        node = started(driver)
        oned.set_state(int(node.id), state, lcm_state)

        assert node.destroy() is True
        sandbox.clock.step(60)
        assert node.state == NodeState.TERMINATED


def test_somebody_elses_node_is_not_destroyed(sandbox: Sandbox) -> None:
    base = f"{sandbox.url}/here"
    node = started(StratusLabNodeDriver("demo", "demo-pass", host=base))
    guest = StratusLabNodeDriver("guest", "guest-pass", host=base)
    node.location = guest.default_location

    with pytest.raises(ForbiddenError, match=r"one.vm.action: .*Not authorized"):
        guest.destroy_node(node)


def test_stop_and_start(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = running(driver, sandbox)

    assert driver.stop_node(node) is True
    sandbox.clock.step(60)
    assert node.state == NodeState.STOPPED
    assert node.start() is True
    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING


def test_suspend_and_start(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = running(driver, sandbox)

    assert driver.ex_suspend_node(node) is True
    sandbox.clock.step(60)
    assert node.state == NodeState.SUSPENDED
    assert driver.start_node(node) is True
    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING


def test_reboot(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = running(driver, sandbox)
    sandbox.request_log.clear()

    assert node.reboot() is True
    assert sandbox.request_log.operations() == ["one.vm.action"]
    assert node.state == NodeState.RUNNING


def test_shutdown_ends_a_node_whose_guest_listens(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = running(driver, sandbox)

    assert driver.ex_shutdown_node(node) is True
    sandbox.clock.step(60)
    assert node.state == NodeState.TERMINATED


@pytest.mark.parametrize(
    "function", ["reboot_node", "stop_node", "ex_suspend_node", "start_node", "ex_shutdown_node"]
)
def test_what_the_state_forbids_is_an_error(driver: StratusLabNodeDriver, function: str) -> None:
    node = started(driver)

    with pytest.raises(ConflictError, match=r"location 'here': one.vm.action: .*Wrong state"):
        getattr(driver, function)(node)
    with pytest.raises(ConflictError, match="VM 0 is PENDING; in this state the cloud refuses"):
        getattr(driver, function)(node)


def test_a_node_made_to_be_saved_is_shut_down(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = driver.create_node(
        "web",
        driver.list_sizes()[0],
        driver.list_images()[0],
        ex_save_as=ImageDescription("jane@example.org", title="Mine"),
    )
    sandbox.clock.step(60)

    assert driver.ex_save_node(node) is True
    sandbox.clock.step(60)
    assert node.state == NodeState.TERMINATED


def test_another_node_cannot_be_saved_and_goes_on(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = running(driver, sandbox)

    with pytest.raises(ConflictError, match="was not created with ex_save_as"):
        driver.ex_save_node(node)
    assert node.state == NodeState.RUNNING


def test_refresh_brings_a_node_up_to_date(sandbox: Sandbox, patient: StratusLabNodeDriver) -> None:
    node = started(patient)
    sandbox.clock.step(60)

    assert patient.ex_refresh_node(node) is node
    assert (node._state, node.extra["state"]) == (NodeState.RUNNING, "RUNNING")


def test_wait_until_running_asks_only_where_the_nodes_are(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    there = driver.list_locations()[1]
    image = driver.list_images(there)[0]
    nodes = [driver.create_node(None, driver.list_sizes()[0], image, there) for _ in range(2)]
    two_clouds.clock.step(60)
    two_clouds.request_log.clear()

    found = driver.wait_until_running(nodes, wait_period=0)

    assert [(node.uuid, addresses) for node, addresses in found] == [
        (node.uuid, node.public_ips) for node in nodes
    ]
    assert {(request.location, request.operation) for request in two_clouds.request_log} == {
        ("there", "one.vmpool.info")
    }


def test_a_node_object_of_plain_libcloud_is_understood(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = running(driver, sandbox)
    plain = Node(node.id, node.name, NodeState.RUNNING, [], [], driver, extra={"location": "here"})

    assert driver.reboot_node(plain)
    assert driver.destroy_node(plain)
    sandbox.clock.step(60)
    assert driver.list_nodes() == []
