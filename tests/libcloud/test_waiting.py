"""Waiting for nodes: it ends at once when a node can never get there, and says where each is and why."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import Node
from libcloud.compute.types import LibcloudError, NodeState

from stratuslab.client.errors import InvalidArgumentError, NodesNotCreatedError, WaitError, WaitTimeoutError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.sandbox import Sandbox

LONG = 3600


def start(driver: StratusLabNodeDriver, name: str = "web", **arguments: Any) -> StratusLabNode:
    return driver.create_node(name, driver.list_sizes()[0], driver.list_images()[0], **arguments)


def test_a_node_that_failed_ends_the_wait_at_once(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    healthy, node = start(driver, "healthy"), start(driver)
    sandbox.location("here").oned.fail(int(node.id), "The host is on fire.")

    with pytest.raises(WaitError) as caught:
        driver.wait_until_running([healthy, node], wait_period=0, timeout=LONG)

    assert str(caught.value) == (
        "wait_until_running: node 0 (healthy) at 'here' is PENDING; "
        "node 1 (web) at 'here' is ERROR: The host is on fire."
    )
    assert not isinstance(caught.value, WaitTimeoutError)
    assert isinstance(caught.value, LibcloudError)
    assert [it.id for it in caught.value.nodes] == [healthy.id, node.id]


@pytest.mark.parametrize("waiting", ["wait_until_running", "ex_wait_for_state"])
def test_a_node_that_is_gone_ends_the_wait_at_once(
    sandbox: Sandbox, driver: StratusLabNodeDriver, waiting: str
) -> None:
    node = start(driver)
    driver.destroy_node(node)
    sandbox.clock.step(60)

    waits: dict[str, Callable[[], object]] = {
        "wait_until_running": lambda: driver.wait_until_running([node], wait_period=0, timeout=LONG),
        "ex_wait_for_state": lambda: driver.ex_wait_for_state([node], "running", LONG, wait_period=0),
    }
    with pytest.raises(WaitError, match=r"node 0 \(web\) at 'here' is TERMINATED"):
        waits[waiting]()


def test_the_time_out_says_the_state(driver: StratusLabNodeDriver) -> None:
    node = start(driver)

    with pytest.raises(
        WaitTimeoutError, match=r"^wait_until_running: Timed out after 0 seconds: node 0 .* PENDING"
    ):
        driver.wait_until_running([node], wait_period=0.01, timeout=0)
    with pytest.raises(WaitTimeoutError, match=r"^ex_wait_for_state: Timed out after 0 seconds: node 0 "):
        driver.ex_wait_for_state(node, "stopped", 0, wait_period=0.01)


def test_destroyed_and_waited_for_is_gone(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = start(driver)
    driver.destroy_node(node)
    sandbox.clock.step(60)

    [gone] = driver.ex_wait_for_state(node, [NodeState.TERMINATED], LONG, wait_period=0)

    assert (gone.state, driver.list_nodes()) == (NodeState.TERMINATED, [])


def test_progress_is_told_when_something_changes(
    sandbox: Sandbox, driver: StratusLabNodeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(driver)
    told: list[NodeState] = []

    def step(seen: StratusLabNode) -> None:
        told.append(seen._state)
        sandbox.clock.step(60)

    with caplog.at_level(logging.INFO, "stratuslab.libcloud.waiting"):
        [running] = driver.ex_wait_for_state([node], ["running"], LONG, step, wait_period=0)

    assert told == [NodeState.PENDING, NodeState.RUNNING]
    assert [record.getMessage() for record in caplog.records if record.name.endswith("waiting")] == [
        "ex_wait_for_state: node 0 (web) at 'here' is PENDING",
        "ex_wait_for_state: node 0 (web) at 'here' is RUNNING",
    ]
    assert running.id == node.id


def test_nodes_come_back_in_the_order_in_which_they_were_given(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    nodes = [start(driver, name) for name in ("a", "b", "c")]
    sandbox.clock.step(60)

    running = driver.ex_wait_for_state(nodes[::-1], "running", wait_period=0)

    assert [node.name for node in running] == ["c", "b", "a"]
    assert [node.name for node, _ in driver.wait_until_running(nodes[::-1], wait_period=0)] == ["c", "b", "a"]


def test_a_node_of_plain_libcloud_is_waited_for(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    start(driver)
    sandbox.clock.step(60)
    plain = Node("0", "web", NodeState.UNKNOWN, [], [], driver)

    assert [node.name for node in driver.ex_wait_for_state(plain, "running", wait_period=0)] == ["web"]


@pytest.mark.parametrize("states", ["asleep", ["running", "asleep"], [7], 7, None])
def test_what_is_no_state_is_refused(sandbox: Sandbox, driver: StratusLabNodeDriver, states: Any) -> None:
    node = start(driver)
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError, match="the argument states: found"):
        driver.ex_wait_for_state(node, states)
    with pytest.raises(InvalidArgumentError, match="the argument ssh_interface: found 'eth0'"):
        driver.wait_until_running([node], ssh_interface="eth0")
    assert len(sandbox.request_log) == 0


@pytest.mark.parametrize("nodes", [None, 7, "0", [None], ["0"]], ids=repr)
def test_what_is_no_node_is_refused(sandbox: Sandbox, driver: StratusLabNodeDriver, nodes: Any) -> None:
    for wait in (
        lambda: driver.wait_until_running(nodes),
        lambda: driver.ex_wait_for_state(nodes, "running"),
    ):
        with pytest.raises(InvalidArgumentError, match=r"the argument nodes?: found .*; give a "):
            wait()
    assert len(sandbox.request_log) == 0


def test_nodes_are_found_by_name_state_and_metadata(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    start(driver, "old", ex_metadata={"role": "web", "team": "a"})
    sandbox.clock.step(60)
    start(driver, "new", ex_metadata={"role": "web"})
    start(driver, "new")

    def names(**wanted: Any) -> list[str]:
        return [node.name for node in driver.list_nodes(**wanted)]

    assert names(ex_name="new") == ["new", "new"]
    assert names(ex_state="running") == names(ex_state=[NodeState.RUNNING]) == ["old"]
    assert names(ex_state=["running", "pending"]) == ["old", "new", "new"]
    assert names(ex_metadata={"role": "web"}) == ["old", "new"]
    assert names(ex_metadata={"role": "web", "team": "a"}) == ["old"]
    assert names(ex_metadata={"role": "web"}, ex_state="pending", ex_name="new") == ["new"]
    with pytest.raises(InvalidArgumentError, match=r"ex_metadata\['role'\]: found \['web'\]; give text"):
        names(ex_metadata={"role": ["web"]})
    with pytest.raises(InvalidArgumentError, match="the argument ex_state: found 'asleep'"):
        names(ex_state="asleep")
    with pytest.raises(InvalidArgumentError, match="the argument ex_metadata: found 'role'"):
        names(ex_metadata="role")
    with pytest.raises(InvalidArgumentError, match="the argument ex_name: found 7; give text"):
        names(ex_name=7)


def test_several_nodes_are_created_side_by_side(two_clouds: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    all_there = threading.Barrier(3, timeout=30)
    create_node = driver.create_node

    def together(*arguments: Any, **keywords: Any) -> StratusLabNode:
        all_there.wait()
        return create_node(*arguments, **keywords)

    monkeypatch.setattr(driver, "create_node", together)
    nodes = driver.ex_create_nodes(
        3, "worker", "m1.small", driver.list_images()[0], "there", ex_metadata={"pool": "a"}
    )

    assert [node.name for node in nodes] == ["worker-1", "worker-2", "worker-3"]
    assert sorted(it.name for it in driver.list_nodes(ex_metadata={"pool": "a"}, ex_location="there")) == [
        "worker-1",
        "worker-2",
        "worker-3",
    ]


def test_those_that_were_created_are_in_the_error(
    sandbox: Sandbox, driver: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_node = driver.create_node

    def second_fails(name: str, *arguments: Any, **keywords: Any) -> StratusLabNode:
        if name.endswith("-2"):
            raise WaitError("no room")
        return create_node(name, *arguments, **keywords)

    monkeypatch.setattr(driver, "create_node", second_fails)
    with pytest.raises(NodesNotCreatedError, match="1 of 3 nodes were not created: no room") as caught:
        driver.ex_create_nodes(3, "worker", "m1.small", driver.list_images()[0])

    assert sorted(node.name for node in caught.value.nodes) == ["worker-1", "worker-3"]
    assert [str(failure) for failure in caught.value.failures] == ["no room"]
    assert sorted(node.id for node in driver.list_nodes()) == sorted(node.id for node in caught.value.nodes)


def test_an_interruption_starts_no_more_and_tells_of_those_that_were(
    sandbox: Sandbox,
    driver: StratusLabNodeDriver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    create_node = driver.create_node
    asked: list[str] = []
    first_is_there, interrupted = threading.Event(), threading.Event()

    def second_is_interrupted(name: str, *arguments: Any, **keywords: Any) -> StratusLabNode:
        asked.append(name)
        if name.endswith("-2"):
            assert first_is_there.wait(30)
            interrupted.set()
            raise KeyboardInterrupt
        if name.endswith("-1"):
            node = create_node(name, *arguments, **keywords)
            first_is_there.set()
            return node
        # The others are still under way, and the next ones wait for their turn.
        assert interrupted.wait(30)
        return create_node(name, *arguments, **keywords)

    monkeypatch.setattr(driver, "create_node", second_is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        driver.ex_create_nodes(100, "worker", "m1.small", driver.list_images()[0])

    [told] = [
        it.getMessage() for it in caplog.records if "ex_create_nodes was interrupted" in it.getMessage()
    ]
    nodes = driver.list_nodes()
    assert len(nodes) < 99
    assert "worker-1" in {node.name for node in nodes}
    assert all(f"{node.id} ({node.name}) at 'here'" in told for node in nodes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "the argument count: found 0; give a whole number from 1"),
        ({"size": "m9"}, "the argument size: found 'm9'"),
        ({"ex_network": "lan"}, "the argument ex_network: found 'lan'"),
    ],
)
def test_wrong_arguments_create_none(
    sandbox: Sandbox, driver: StratusLabNodeDriver, arguments: dict[str, Any], message: str
) -> None:
    given = {"count": 2, "name": "x", "size": "m1.small", "image": driver.list_images()[0], **arguments}

    with pytest.raises(InvalidArgumentError, match=message):
        driver.ex_create_nodes(**given)
    with pytest.raises(TypeError, match="did you mean 'ex_userdata'"):
        driver.ex_create_nodes(1, image=given["image"], size="m1.small", ex_user_data="x")
    assert "one.vm.allocate" not in sandbox.request_log.operations()
