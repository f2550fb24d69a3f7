from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import paramiko
import pytest

from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.defaults import USERS
from tests.sandbox.guests.conftest import Key, Machines, new_key, password_of, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("user", ["root", "ubuntu", "jane.tester"])
def test_the_key_opens_whatever_the_user_name(machines: Machines, user: str) -> None:
    client = machines.connect(machines.start(), user=user)
    assert run(client, "echo $USER $LOGNAME").out == f"{user} {user}\n"


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp256"])
def test_kinds_of_keys(machines: Machines, tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path, kind)
    vm_id = machines.start(f'PUBLIC_KEY = "{key.public}"')
    assert run(machines.connect(vm_id, key=key), "echo in").out == "in\n"


def test_another_key_does_not(machines: Machines, other_key: Key) -> None:
    vm_id = machines.start()
    with pytest.raises(paramiko.AuthenticationException):
        machines.connect(vm_id, key=other_key)


def test_the_key_of_another_machine_does_not(machines: Machines, other_key: Key) -> None:
    first, second = machines.start(), machines.start(f'PUBLIC_KEY = "{other_key.public}"')
    assert machines.run(first, "true").status == 0
    with pytest.raises(paramiko.AuthenticationException):
        machines.connect(second)


def test_no_password_does(machines: Machines) -> None:
    vm_id = machines.start()
    for password in (password_of(machines.sandbox, "demo"), "x"):
        with pytest.raises(paramiko.AuthenticationException):
            machines.connect(vm_id, user="demo", password=password)


@pytest.mark.parametrize(
    "context",
    ['A = "b"', 'PUBLIC_KEY = "ssh-rsa abc"', 'CLOUD_INIT_AUTHORIZED_KEYS = "%"', 'PUBLIC_KEY = " "'],
)
def test_nobody_gets_in_without_a_key(machines: Machines, context: str) -> None:
    vm_id = machines.start(context)
    with pytest.raises(paramiko.AuthenticationException):
        machines.connect(vm_id)


def test_several_keys_some_of_which_make_no_sense(machines: Machines, key: Key, other_key: Key) -> None:
    vm_id = machines.start(f'PUBLIC_KEY = "# mine\nssh-rsa abc\n\n{other_key.public}\n{key.public}\n"')
    for one in (key, other_key):
        assert run(machines.connect(vm_id, key=one), "echo in").out == "in\n"


def test_keys_of_cloud_init(machines: Machines, key: Key, other_key: Key) -> None:
    keys = b64encode(f"{other_key.public}\n{key.public}\n".encode()).decode()
    vm_id = machines.start(f'CONTEXT_METHOD = "cloud-init", CLOUD_INIT_AUTHORIZED_KEYS = "{keys}"')
    assert machines.run(vm_id, "echo in").out == "in\n"


def test_nobody_is_forwarded_anywhere(machines: Machines) -> None:
    transport = machines.connect(machines.start()).get_transport()
    assert transport is not None
    port = machines.sandbox.ssh_port
    with pytest.raises(paramiko.ChannelException):
        transport.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0))
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)


def test_a_stranger_gets_no_machine() -> None:
    """Who has no password here must not have commands run as the one who started the sandbox."""
    with Sandbox(ssh=True) as sandbox, ServerProxy(f"{sandbox.url}/sandbox/RPC2") as oned:
        allocate: Any = oned.one.vm.allocate
        assert allocate("stranger:x", "NAME = theirs")[2] == 256
        session = f"demo:{password_of(sandbox, 'demo')}"
        assert allocate(session, "NAME = mine")[0] is True


def test_nobody_gets_in_with_a_published_password() -> None:
    """Every user of this computer could run commands as the one who started the sandbox."""
    with Sandbox(ssh=True) as sandbox, ServerProxy(f"{sandbox.url}/sandbox/RPC2") as oned:
        allocate: Any = oned.one.vm.allocate
        for name, password in USERS.items():
            assert allocate(f"{name}:{password}", "NAME = theirs")[2] == 256
        assert len(password_of(sandbox, "demo")) > 20


def test_the_password_is_another_each_time() -> None:
    def passwords() -> str:
        with Sandbox(ssh=True) as sandbox:
            return password_of(sandbox, "demo")

    assert passwords() != passwords()


@pytest.mark.parametrize("password", USERS.values())
def test_a_published_password_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="'jane' is published"):
        Sandbox(ssh=True, users={"jane": password})


def test_a_password_of_ones_own_will_do() -> None:
    with Sandbox(ssh=True, users={"jane": "unheard-of"}) as sandbox:
        assert password_of(sandbox, "jane") == "unheard-of"
