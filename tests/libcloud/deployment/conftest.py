from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from libcloud.compute.base import NodeDriver
from libcloud.compute.deployment import ScriptDeployment
from libcloud.compute.ssh import ParamikoSSHClient

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAKERS: dict[str, Callable[[], Any]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": functools.partial(ec.generate_private_key, ec.SECP256R1()),
    "rsa": functools.partial(rsa.generate_private_key, 65537, 2048),
}


class KeyPair(NamedTuple):
    """The text of a public key, and the text of the private one."""

    public: str
    private: str

    def write(self, private: Path, public: Path | None = None) -> Path:
        """Write both keys, the public one beside the private one if not told otherwise."""
        private.parent.mkdir(parents=True, exist_ok=True)
        private.write_text(self.private)
        private.chmod(0o600)
        (public or private.with_name(f"{private.name}.pub")).write_text(f"{self.public} me@example.org\n")
        return private


@pytest.fixture(scope="session")
def new_key() -> Callable[..., KeyPair]:
    """Make pairs of keys."""

    def make(kind: str = "ed25519") -> KeyPair:
        key = MAKERS[kind]()
        style = serialization.PrivateFormat
        private = key.private_bytes(
            serialization.Encoding.PEM,
            style.OpenSSH if kind == "ed25519" else style.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return KeyPair(public.decode(), private.decode())

    return make


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Libcloud look soon again for a node's SSH server (1.5 s) and for a command's end (0.2 s)."""
    monkeypatch.setattr(NodeDriver._ssh_client_connect, "__defaults__", (0.02, 300))
    monkeypatch.setattr(ParamikoSSHClient, "SLEEP_DELAY", 0.01)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A cloud with SSH in its VMs, which run at once."""
    with Sandbox(locations=["here"], boot_seconds=0, ssh=True) as sandbox:
        yield sandbox


@pytest.fixture
def driver(sandbox: Sandbox) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, ex_state_max_age=0)


@pytest.fixture
def deploy(sandbox: Sandbox) -> Callable[..., Any]:
    """Deploy a node with a driver, without patience."""

    def deploy_with(driver: StratusLabNodeDriver, task: Any = None, **arguments: Any) -> Any:
        return driver.deploy_node(
            task or ScriptDeployment("#!/bin/sh\n:\n"),
            **{
                "name": "web",
                "size": driver.list_sizes()[0],
                "image": driver.list_images()[0],
                "ssh_port": sandbox.ssh_port,
                "wait_period": 0.02,
                "timeout": 20,
                **arguments,
            },
        )

    return deploy_with
