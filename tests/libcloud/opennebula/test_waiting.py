"""Waiting for nodes of OpenNebula 5.12 to 7.4: how it ends, and the cloud's reason in lists and errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.deployment import ScriptDeployment
from libcloud.compute.types import DeploymentError, NodeState

from stratuslab.client.errors import WaitError, WaitTimeoutError
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.libcloud.node import StratusLabNode

LONG = 3600
NO_ROOM = "No host with enough capacity to deploy the VM"


@pytest.fixture
def full_sandbox(kind: str) -> Iterator[Sandbox]:
    """A cloud with one host, on which there is room for one node of the first size."""
    with Sandbox(
        locations=["here"], cloud=kind, boot_seconds=0.04, hosts=1, host_capacity=(1, 600)
    ) as sandbox:
        yield sandbox


@pytest.fixture
def waits(driver: OpenNebulaNodeDriver) -> dict[str, Callable[[StratusLabNode], object]]:
    return {
        "wait_until_running": lambda node: driver.wait_until_running([node], wait_period=0.05, timeout=LONG),
        "ex_wait_for_state": lambda node: driver.ex_wait_for_state(node, "running", LONG, wait_period=0.05),
    }


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A private key, with its public one beside."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "key").write_bytes(private)
    (tmp_path / "key.pub").write_bytes(public)
    return str(tmp_path / "key")


def test_why_a_node_waits_is_told_in_lists_and_on_time_out(full_sandbox: Sandbox, kind: str) -> None:
    driver = OpenNebulaNodeDriver(stratuslab_user_config=full_sandbox.config_file, ex_state_max_age=0)
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    first = driver.create_node("first", size, image)
    driver.wait_until_running([first], wait_period=0.05, timeout=60)
    second = driver.create_node("second", size, image)

    reason = rf"node {second.id} \(second\) at 'here' is PENDING: .*{NO_ROOM}"
    with pytest.raises(
        WaitTimeoutError, match=rf"^wait_until_running: Timed out after 0\.3 seconds: {reason}"
    ):
        driver.wait_until_running([second], wait_period=0.05, timeout=0.3)
    with pytest.raises(
        WaitTimeoutError, match=rf"^ex_wait_for_state: Timed out after 0\.1 seconds: {reason}"
    ):
        driver.ex_wait_for_state(second, "running", 0.1, wait_period=0.05)
    for details in (False, True):
        waiting = {node.name: node.extra["waiting"] for node in driver.list_nodes(ex_details=details)}
        assert waiting["first"] is None
        assert NO_ROOM in waiting["second"]
    assert NO_ROOM in driver.ex_get_node_details(second.id).extra["waiting"]

    driver.destroy_node(first)
    [running] = driver.ex_wait_for_state(second, "running", 60, wait_period=0.05)
    assert running.extra["waiting"] is None


@pytest.mark.parametrize("waiting", ["wait_until_running", "ex_wait_for_state"])
@pytest.mark.parametrize(("stage", "why"), [("prolog", "image transfer script"), ("boot", "DEPLOY")])
def test_a_node_that_fails_to_start_ends_the_wait_at_once(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    start: Callable[..., StratusLabNode],
    waits: dict[str, Callable[[StratusLabNode], object]],
    waiting: str,
    stage: str,
    why: str,
) -> None:
    sandbox.faults.add(f"one.vm.allocate:nth=1:driver={stage}")
    node = start(running=False)

    with pytest.raises(WaitError, match=rf"{waiting}: node 0 \(web\) at 'here' is ERROR: .*{why}") as caught:
        waits[waiting](node)

    assert not isinstance(caught.value, WaitTimeoutError)
    [failed] = caught.value.nodes
    assert failed.extra["state"] == f"{stage.upper()}_FAILURE"
    assert why in failed.extra["error"]
    assert driver.destroy_node(failed)
    assert driver.list_nodes() == []


@pytest.mark.parametrize("waiting", ["wait_until_running", "ex_wait_for_state"])
def test_a_node_that_is_gone_ends_the_wait_at_once(
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    waits: dict[str, Callable[[StratusLabNode], object]],
    waiting: str,
) -> None:
    driver.destroy_node(node)

    with pytest.raises(WaitError, match=rf"{waiting}: node 0 \(web\) at 'here' is TERMINATED"):
        waits[waiting](node)


def test_destroyed_and_waited_for_is_gone(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    driver.destroy_node(node)

    [gone] = driver.ex_wait_for_state(node, NodeState.TERMINATED, LONG, wait_period=0.05)

    assert (gone.state, driver.list_nodes()) == (NodeState.TERMINATED, [])
    assert driver.ex_get_node_details(node.id) is None


def test_a_node_is_waited_for_until_it_is_stopped(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    driver.stop_node(node)

    [stopped] = driver.ex_wait_for_state(node, ["stopped", "suspended"], LONG, wait_period=0.05)

    assert stopped.state in (NodeState.STOPPED, NodeState.SUSPENDED)


@pytest.mark.parametrize("ending", [None, "destroy"])
def test_a_deployment_on_a_node_that_fails_ends_at_once(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, key_file: str, ending: str | None
) -> None:
    sandbox.faults.add("one.vm.allocate:nth=1:driver=boot")

    with pytest.raises(DeploymentError, match=r"node 0 \(web\) at 'here' is ERROR: .*DEPLOY") as caught:
        driver.deploy_node(
            ScriptDeployment(":"),
            name="web",
            size=driver.list_sizes()[0],
            image=driver.list_images()[0],
            ssh_key=key_file,
            auth=NodeAuthSSHKey(Path(f"{key_file}.pub").read_text()),
            timeout=LONG,
            wait_period=0.05,
            ex_on_failure=ending,
        )

    assert caught.value.node.id == "0"
    assert [node.id for node in driver.list_nodes()] == ([] if ending else ["0"])
