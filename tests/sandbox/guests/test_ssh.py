from __future__ import annotations

import logging
import socket
from contextlib import closing
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthSSHKey, NodeDriver
from libcloud.compute.deployment import FileDeployment, MultiStepDeployment, ScriptDeployment
from libcloud.compute.ssh import ParamikoSSHClient

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox
from tests.sandbox.command import run_python, served
from tests.sandbox.guests.conftest import Key, Machines, eventually, is_open

if TYPE_CHECKING:
    from pathlib import Path

    from libcloud.compute.base import Node
    from libcloud.compute.deployment import Deployment

THIS_MACHINE = IPv4Network("127.0.0.0/8")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Libcloud look soon again for a node's SSH server (1.5 s) and for a command's end (0.2 s)."""
    monkeypatch.setattr(NodeDriver._ssh_client_connect, "__defaults__", (0.02, 300))
    monkeypatch.setattr(ParamikoSSHClient, "SLEEP_DELAY", 0.01)


def deploy(sandbox: Sandbox, deployment: Deployment, **options: Any) -> Node:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    try:
        return driver.deploy_node(
            deployment,
            name="web",
            size=driver.list_sizes()[0],
            image=driver.list_images()[0],
            ssh_port=sandbox.ssh_port,
            wait_period=0.05,
            **options,
        )
    except InvalidArgumentError:
        assert driver.list_nodes() == []
        raise


def test_deploy_node_runs_for_real(key: Key, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("from here")
    script = ScriptDeployment("#!/bin/sh\ncat note; echo; pwd; exit 3\n")
    steps = MultiStepDeployment([FileDeployment(str(note), "note"), script])
    with Sandbox(ssh=True, boot_seconds=0.1) as sandbox:
        node = deploy(sandbox, steps, auth=NodeAuthSSHKey(key.public), ssh_key=str(key.file))
    assert (script.exit_status, script.stderr) == (3, "")
    text, folder = str(script.stdout).splitlines()
    assert text == "from here"
    assert folder.endswith(f"/sandbox/{node.id}")
    assert IPv4Address(node.public_ips[0]) in THIS_MACHINE


def test_deploy_node_uses_the_key_in_ones_home(home: Path, key: Key) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519").write_bytes(key.file.read_bytes())
    (home / ".ssh" / "id_ed25519.pub").write_text(key.public)
    script = ScriptDeployment("#!/bin/sh\necho done")
    with Sandbox(ssh=True, boot_seconds=0.1) as sandbox:
        deploy(sandbox, script)
    assert script.stdout == "done\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning:libcloud")
def test_deploy_node_with_the_wrong_key(key: Key, other_key: Key) -> None:
    keys = {"auth": NodeAuthSSHKey(key.public), "ssh_key": str(other_key.file)}
    script = ScriptDeployment("#!/bin/sh\necho done")
    with (
        Sandbox(ssh=True, boot_seconds=0.1) as sandbox,
        pytest.raises(InvalidArgumentError, match="not the private key"),
    ):
        deploy(sandbox, script, ssh_timeout=2, timeout=3, max_tries=1, **keys)
    assert script.exit_status is None


def test_off_by_default() -> None:
    with Sandbox(boot_seconds=0) as sandbox:
        assert sandbox.ssh_port == 0
        machines = Machines(sandbox, Key("ssh-rsa abc", sandbox.config_file))
        assert IPv4Address(machines.address(machines.start())) not in THIS_MACHINE


def test_there_is_no_port_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Sandbox(ssh=True).ssh_port


def test_servers_come_with_the_life_of_their_machines(key: Key) -> None:
    clock = Clock(1_400_000_000.0)
    with Sandbox(ssh=True, boot_seconds=8, clock=clock) as sandbox:
        machines = Machines(sandbox, key)
        with machines.connections:
            vm_id = machines.start()
            assert not machines.is_answering(vm_id)
            clock.step(8)
            eventually(lambda: machines.is_answering(vm_id))
            machines.run(vm_id, "echo before > file")
            machines.call("one.vm.action", "stop", vm_id)
            eventually(lambda: not machines.is_answering(vm_id))
            clock.step(8)
            machines.call("one.vm.action", "resume", vm_id)
            clock.step(8)
            assert machines.run(vm_id, "cat file").out == "before\n"
            machines.call("one.vm.action", "shutdown", vm_id)
            eventually(lambda: not machines.is_answering(vm_id))


def test_machine_which_fails_answers_no_more(machines: Machines) -> None:
    vm_id = machines.start()
    eventually(lambda: machines.is_answering(vm_id))
    machines.sandbox.location("sandbox").oned.fail(vm_id, "No more.")
    eventually(lambda: not machines.is_answering(vm_id))


def test_every_machine_has_an_address_of_its_own(key: Key) -> None:
    nics = "".join(
        f'NIC = [ NETWORK = "{name}", NETWORK_UNAME = "oneadmin" ]\n' for name in ("local", "private")
    )
    with Sandbox(ssh=True, boot_seconds=0, locations=["paris", "lyon"]) as sandbox:
        paris, lyon = (Machines(sandbox, key, location) for location in ("paris", "lyon"))
        with paris.connections, lyon.connections:
            first, second = paris.start(), lyon.start()
            assert first == second
            paris.run(first, "echo paris > here")
            assert lyon.run(second, "ls").out == ""
            documents = [
                str(cloud.call("one.vm.info", cloud.start(more=nics))) for cloud in (paris, lyon, paris, lyon)
            ]
            addresses = [
                part.partition("]")[0] for text in documents for part in text.split("<IP><![CDATA[")[1:]
            ]
            assert len({*addresses}) == 4 * 3
            assert all(IPv4Address(address) in THIS_MACHINE for address in addresses)
            for address in addresses:
                eventually(partial(is_open, address, sandbox.ssh_port))


def test_two_sandboxes_side_by_side(key: Key) -> None:
    with Sandbox(ssh=True, boot_seconds=0) as one, Sandbox(ssh=True, boot_seconds=0) as two:
        assert one.ssh_port != two.ssh_port
        first, second = Machines(one, key), Machines(two, key)
        with first.connections, second.connections:
            assert first.address(first.start()) == second.address(second.start())
            first.run(0, "echo one > name")
            assert second.run(0, "ls").out == ""


def test_nothing_is_open_to_the_network(machines: Machines) -> None:
    vm_id = machines.start()
    eventually(lambda: machines.is_answering(vm_id))
    assert not is_open("127.0.0.1", machines.sandbox.ssh_port)


def test_port_of_ones_own(key: Key) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        sandbox = Sandbox(ssh=True, ssh_port=port)
        with pytest.raises(OSError, match="in use"):
            sandbox.start()
    with sandbox:
        assert sandbox.ssh_port == port
    with sandbox:
        assert sandbox.ssh_port == port


def test_port_without_ssh() -> None:
    with pytest.raises(ValueError, match="without SSH"):
        Sandbox(ssh_port=2222)


def test_address_which_is_taken(machines: Machines, caplog: pytest.LogCaptureFixture) -> None:
    port = machines.sandbox.ssh_port
    with closing(socket.create_server(("127.86.0.1", port))):
        first = machines.start()
        second = machines.start()
        assert machines.run(second, "echo in").out == "in\n"
        assert machines.address(first) == "127.86.0.1"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "without an SSH server" in caplog.text


@pytest.mark.slow
def test_the_command_tells_the_port() -> None:
    with served("--ssh") as place:
        assert place["ssh_port"] > 0
    ended = run_python("import os; print(os.environ['STRATUSLAB_SANDBOX_SSH_PORT'])", "--ssh")
    assert int(ended.stdout) > 0
