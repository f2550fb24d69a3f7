from __future__ import annotations

import configparser
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import asyncssh
import paramiko
import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_SECONDS = 20


class Key(NamedTuple):
    """A pair of keys: the text of the public one, the file of the private one."""

    public: str
    file: Path


class Result(NamedTuple):
    """What a command has written, and its exit status."""

    out: str
    err: str
    status: int


def eventually(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.01)


def is_open(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PATIENCE_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


@dataclass
class Machines:
    """The VMs of a sandbox, as their user has them."""

    sandbox: Sandbox
    key: Key
    location: str = "sandbox"
    connections: ExitStack = field(default_factory=ExitStack)

    def call(self, method: str, *arguments: object) -> object:
        ok, value, _ = self.sandbox.location(self.location).oned.call(method, arguments, "demo")
        assert ok, value
        return value

    def start(self, context: str | None = None, more: str = "") -> int:
        """Start a VM which is RUNNING at once, with the key unless the context is another; return its id."""
        context = f'PUBLIC_KEY = "{self.key.public}"' if context is None else context
        nic = 'NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]'
        vm_id = self.call("one.vm.allocate", f"CPU = 1\nMEMORY = 64\n{nic}\nCONTEXT = [ {context} ]\n{more}")
        assert isinstance(vm_id, int)
        return vm_id

    def address(self, vm_id: int) -> str:
        document = str(self.call("one.vm.info", vm_id))
        return document.partition("<IP><![CDATA[")[2].partition("]")[0]

    def is_answering(self, vm_id: int) -> bool:
        return is_open(self.address(vm_id), self.sandbox.ssh_port)

    def connect(
        self, vm_id: int, *, user: str = "root", key: Key | None = None, password: str | None = None
    ) -> paramiko.SSHClient:
        eventually(lambda: self.is_answering(vm_id))
        client = self.connections.enter_context(paramiko.SSHClient())
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            self.address(vm_id),
            self.sandbox.ssh_port,
            user,
            password,
            key_filename=None if password else str((key or self.key).file),
            allow_agent=False,
            look_for_keys=False,
            timeout=PATIENCE_SECONDS,
        )
        return client

    def run(self, vm_id: int, command: str, stdin: str = "") -> Result:
        return run(self.connect(vm_id), command, stdin)


def run(client: paramiko.SSHClient, command: str, stdin: str = "") -> Result:
    to_it, out, err = client.exec_command(command, timeout=PATIENCE_SECONDS)
    with to_it, out, err:
        with suppress(OSError):  # the command may not want it all
            to_it.write(stdin)
            to_it.channel.shutdown_write()
        written = out.read().decode(), err.read().decode()
        return Result(*written, out.channel.recv_exit_status())


def password_of(sandbox: Sandbox, user: str) -> str:
    """Return the password of the user in the configuration file."""
    parser = configparser.ConfigParser()
    parser.read(sandbox.config_file, encoding="utf-8")
    assert parser["default"]["username"] == user
    return parser["default"]["password"]


def new_key(folder: Path, kind: str = "ssh-ed25519") -> Key:
    private = asyncssh.generate_private_key(kind)
    file = folder / "id"
    # Paramiko does not read every ECDSA key in the format of OpenSSH.
    private.write_private_key(file, "openssh" if kind == "ssh-ed25519" else "pkcs1-pem")
    file.chmod(0o600)
    return Key(private.export_public_key().decode().strip(), file)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return new_key(tmp_path_factory.mktemp("other"))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    clock = Clock()
    clock.stop()
    with Sandbox(ssh=True, boot_seconds=0, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def machines(sandbox: Sandbox, key: Key) -> Iterator[Machines]:
    machines = Machines(sandbox, key)
    with machines.connections:
        yield machines


@pytest.fixture
def driver(sandbox: Sandbox) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, ex_state_max_age=0)
