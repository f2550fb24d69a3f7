"""Libcloud's documented way to deploy a node, over SSH."""

from __future__ import annotations

import inspect
import socket
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthPassword, NodeAuthSSHKey, NodeDriver
from libcloud.compute.deployment import (
    Deployment,
    FileDeployment,
    MultiStepDeployment,
    ScriptDeployment,
    SSHKeyDeployment,
)
from libcloud.compute.types import DeploymentError, LibcloudError, NodeState

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.libcloud.deployment.conftest import KeyPair


GREET = """#!/bin/sh
echo "for $1"
cat motd
echo complaint >&2
exit 3
"""
LOOK_AROUND = """#!/bin/sh
ls
cat .ssh/authorized_keys
"""


@pytest.fixture
def key(new_key: Callable[..., KeyPair], home: Path) -> KeyPair:
    """The user's own key, in its usual place."""
    key = new_key()
    key.write(home / ".ssh" / "id_ed25519")
    return key


def test_a_deployment_of_several_steps(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    key: KeyPair,
    new_key: Callable[..., KeyPair],
    tmp_path: Path,
) -> None:
    colleague = new_key().public
    (tmp_path / "motd").write_text("Welcome ☃\n")
    greeting = ScriptDeployment(GREET, args=["web"], delete=True)
    look = ScriptDeployment(LOOK_AROUND)
    copy = FileDeployment(str(tmp_path / "motd"), "motd")

    steps = MultiStepDeployment([copy, greeting, SSHKeyDeployment(colleague), look])
    node = deploy(driver, steps, auth=NodeAuthSSHKey(key.public))

    assert greeting.stdout == "for web\nWelcome ☃\n"
    assert (greeting.stderr, greeting.exit_status) == ("complaint\n", 3)
    assert look.stdout == f"motd\n{colleague}"
    assert (node.name, node.state, node.location.id) == ("web", NodeState.RUNNING, "here")
    assert [listed.id for listed in driver.list_nodes()] == [node.id]


def test_as_another_user_where_the_first_is_not_let_in(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    seen: list[str] = []

    class Nobody(Deployment):
        def run(self, node: Any, client: Any) -> Any:
            seen.append(client.username)
            if client.username == "root":
                raise PermissionError("root is not wanted")
            return node

    deploy(driver, Nobody(), ssh_alternate_usernames=["ubuntu"], max_tries=1)

    assert seen == ["root", "ubuntu"]


def test_a_step_that_fails_gives_back_the_node(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    class Checked(ScriptDeployment):
        runs = 0

        def run(self, node: Any, client: Any) -> Any:
            Checked.runs += 1
            super().run(node, client)
            if self.exit_status:
                raise RuntimeError(f"exit status {self.exit_status}")
            return node

    with pytest.raises(DeploymentError, match="exit status 3") as caught:
        deploy(driver, Checked("#!/bin/sh\nexit 3\n"), max_tries=2)

    assert Checked.runs == 2
    assert [node.id for node in driver.list_nodes()] == [caught.value.node.id]
    caught.value.node.destroy()
    assert driver.list_nodes() == []


def test_a_script_that_takes_too_long_gives_back_the_node(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    with pytest.raises(DeploymentError, match=r"SSHCommandTimeoutError: .*timeout=0\.1") as caught:
        deploy(driver, ScriptDeployment("#!/bin/sh\nexec sleep 600\n", timeout=0.1))

    assert [node.id for node in driver.list_nodes()] == [caught.value.node.id]


def test_a_node_that_does_not_run_in_time_is_given_back(key: KeyPair, deploy: Callable[..., Any]) -> None:
    clock = Clock()
    clock.stop()
    with Sandbox(locations=["here"], clock=clock, ssh=True) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        with pytest.raises(DeploymentError, match="Timed out after") as caught:
            deploy(driver, timeout=0.3)

        assert [node.id for node in driver.list_nodes()] == [caught.value.node.id]


def test_a_node_that_lets_nobody_in_is_given_back(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DeploymentError, match="Could not connect to the remote SSH server") as caught:
            deploy(driver, ssh_port=taken.getsockname()[1], timeout=0.4)

    assert [node.id for node in driver.list_nodes()] == [caught.value.node.id]


def test_a_node_that_fails_is_not_waited_for(
    deploy: Callable[..., Any], key: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.stop()
    with Sandbox(locations=["here"], clock=clock, ssh=True) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        create_node = driver.create_node

        def create_and_fail(*arguments: Any, **keywords: Any) -> Any:
            node = create_node(*arguments, **keywords)
            sandbox.location("here").oned.fail(int(node.id), "The host is on fire.")
            return node

        monkeypatch.setattr(driver, "create_node", create_and_fail)
        with pytest.raises(DeploymentError, match=r"is ERROR: The host is on fire\.") as caught:
            deploy(driver, timeout=3600)

        assert [node.id for node in driver.list_nodes()] == [caught.value.node.id]


def test_a_node_is_destroyed_if_its_deployment_fails(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    class Failing(Deployment):
        def run(self, node: Any, client: Any) -> Any:
            raise RuntimeError("no such package")

    with pytest.raises(DeploymentError, match="no such package") as caught:
        deploy(driver, Failing(), max_tries=1, ex_on_failure="destroy")

    assert caught.value.node.name == "web"
    assert driver.list_nodes() == []
    with pytest.raises(InvalidArgumentError, match="ex_on_failure: found 'keep'; use one of destroy"):
        deploy(driver, ex_on_failure="keep")


@pytest.mark.parametrize("kind", ["stratuslab", "opennebula-6.10"])
@pytest.mark.parametrize("moment", ["start", "wait", "deployment"])
def test_a_node_is_destroyed_if_its_deployment_is_interrupted(
    key: KeyPair, deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, kind: str, moment: str
) -> None:
    """Ctrl-C comes at any moment; whoever pressed it holds no node and no token."""

    class Interrupted(Deployment):
        def run(self, node: Any, client: Any) -> Any:
            raise KeyboardInterrupt

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        raise KeyboardInterrupt

    with Sandbox(locations=["there", "here"], cloud=kind, boot_seconds=0, ssh=True) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        call = Rpc.call

        def interrupted_start(rpc: Any, method: str, *arguments: Any, **keywords: Any) -> Any:
            answer = call(rpc, method, *arguments, **keywords)
            if method == "one.vm.allocate":
                raise KeyboardInterrupt
            return answer

        if moment == "start":
            monkeypatch.setattr(Rpc, "call", interrupted_start)
        if moment == "wait":
            monkeypatch.setattr(driver, "wait_until_running", interrupted)
        arguments: dict[str, Any] = {"location": "here", "ssh_port": sandbox.ssh_port, "max_tries": 1}
        arguments["image"] = driver.list_images("here")[0]
        with pytest.raises(KeyboardInterrupt):
            deploy(driver, Interrupted(), ex_on_failure="destroy", **arguments)

        assert "one.vm.allocate" in sandbox.request_log.operations()
        assert driver.list_nodes() == []


def test_an_interrupted_node_that_cannot_be_looked_for_is_told_in_the_log(
    sandbox: Sandbox,
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    key: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        sandbox.faults.add("one.vmpool.info:error=8192")
        raise KeyboardInterrupt

    monkeypatch.setattr(driver, "wait_until_running", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deploy(driver, ex_on_failure="destroy", ex_token="job-1")

    assert "a node with the token job-1 at 'here' could not be looked for, and may be left: " in caplog.text


def test_a_node_that_cannot_be_destroyed_is_told_in_the_log(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    key: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Deployment):
        def run(self, node: Any, client: Any) -> Any:
            raise RuntimeError("no such package")

    def unreachable(node: Any) -> bool:
        raise InvalidArgumentError("out of reach")

    monkeypatch.setattr(driver, "destroy_node", unreachable)
    with pytest.raises(DeploymentError, match="no such package"):
        deploy(driver, Failing(), max_tries=1, ex_on_failure="destroy")

    assert "node 0 could not be destroyed and is left: out of reach" in caplog.text


def test_only_the_location_of_the_node_is_asked_while_it_is_waited_for(
    deploy: Callable[..., Any], key: KeyPair
) -> None:
    with Sandbox(locations=["here", "there"], boot_seconds=0, ssh=True) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        node = deploy(driver, location=driver.list_locations()[1], ssh_port=sandbox.ssh_port)
        asked = {request.location for request in sandbox.request_log if request.service == "compute"}

    assert node.location.id == "there"
    assert asked == {"there"}


def test_the_node_takes_what_create_node_takes(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    node = deploy(driver, ex_network="local", ssh_interface="private_ips")

    assert (node.public_ips, len(node.private_ips)) == ([], 1)


def test_what_create_node_does_not_take_is_refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    with pytest.raises(TypeError, match="ex_colour"):
        deploy(driver, ex_colour="red")
    assert driver.list_nodes() == []


def test_a_password_is_refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: KeyPair
) -> None:
    with pytest.raises(LibcloudError, match="password"):
        deploy(driver, auth=NodeAuthPassword("x"))
    assert driver.list_nodes() == []


def test_without_any_key_no_node_is_started(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], sandbox: Sandbox
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"deploy_node finds no private key.* section \[here\]"):
        deploy(driver)
    assert "one.vm.allocate" not in sandbox.request_log.operations()


def test_the_signature_is_libclouds() -> None:
    def parameters(function: Any) -> list[tuple[str, Any, Any]]:
        found = inspect.signature(function).parameters.values()
        return [(parameter.name, parameter.kind, parameter.default) for parameter in found]

    assert parameters(StratusLabNodeDriver.deploy_node) == parameters(NodeDriver.deploy_node)
