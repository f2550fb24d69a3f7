"""Which private key opens a node: a deployment succeeds if and only if it is the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthSSHKey

from stratuslab.client.errors import ConfigurationError, InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.sandbox import Sandbox
    from tests.libcloud.deployment.conftest import KeyPair


@pytest.fixture
def driver_with(sandbox: Sandbox, tmp_path: Path) -> Callable[..., StratusLabNodeDriver]:
    """Make a driver whose section has further keys."""

    def make(**keys: Any) -> StratusLabNodeDriver:
        file = tmp_path / "user.cfg"
        lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
        file.write_text(sandbox.config_file.read_text() + lines)
        file.chmod(0o600)
        return StratusLabNodeDriver(stratuslab_user_config=file)

    return make


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_usual_key_is_found_beside_its_public_one(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    home: Path,
    kind: str,
) -> None:
    new_key(kind).write(home / ".ssh" / f"id_{kind}")

    assert deploy(driver).id


def test_the_first_of_the_usual_keys_is_taken(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], new_key: Callable[..., KeyPair], home: Path
) -> None:
    new_key().write(home / ".ssh" / "id_ed25519")
    new_key("rsa").write(home / ".ssh" / "id_rsa")

    assert deploy(driver).id


def test_the_key_that_was_given_is_found_among_the_usual_ones(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], new_key: Callable[..., KeyPair], home: Path
) -> None:
    new_key().write(home / ".ssh" / "id_ed25519")
    other = new_key("rsa")
    other.write(home / ".ssh" / "id_rsa")

    assert deploy(driver, auth=NodeAuthSSHKey(f"{other.public} comment of another kind\n")).id


@pytest.mark.parametrize("given", [True, False], ids=["auth", "no auth"])
def test_the_keys_of_the_section_go_before_the_usual_ones(
    driver_with: Callable[..., StratusLabNodeDriver],
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    home: Path,
    tmp_path: Path,
    given: bool,
) -> None:
    new_key().write(home / ".ssh" / "id_ed25519")
    key = new_key()
    private = key.write(tmp_path / "secret.key", tmp_path / "shown.key")
    driver = driver_with(user_public_key_file=tmp_path / "shown.key", user_private_key_file=private)

    assert deploy(driver, auth=NodeAuthSSHKey(key.public) if given else None).id


def test_beside_the_public_key_of_the_section(
    driver_with: Callable[..., StratusLabNodeDriver],
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    tmp_path: Path,
) -> None:
    new_key().write(tmp_path / "work.2026")
    driver = driver_with(user_public_key_file=tmp_path / "work.2026.pub")

    assert deploy(driver).id


def test_the_key_that_is_given_goes_before_all_others(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    home: Path,
    tmp_path: Path,
) -> None:
    new_key().write(home / ".ssh" / "id_ed25519")
    key = new_key()
    private = key.write(tmp_path / "private")

    assert deploy(driver, ssh_key=str(private), auth=NodeAuthSSHKey(key.public)).id


def test_a_private_key_that_is_not_there_is_told_of_before_anything_is_sent(
    driver_with: Callable[..., StratusLabNodeDriver],
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    tmp_path: Path,
    sandbox: Sandbox,
) -> None:
    key = new_key()
    key.write(tmp_path / "key")
    driver = driver_with(user_public_key_file=tmp_path / "key.pub", user_private_key_file=tmp_path / "gone")

    for auth in (None, NodeAuthSSHKey(key.public)):
        with pytest.raises(ConfigurationError, match=r"section \[here\], key user_private_key_file: found"):
            deploy(driver, auth=auth)
    assert "one.vm.allocate" not in sandbox.request_log.operations()


@pytest.mark.parametrize("public", ["key.pub", "key", "key.txt"])
def test_a_public_key_alone_opens_nothing(
    driver_with: Callable[..., StratusLabNodeDriver],
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    tmp_path: Path,
    public: str,
) -> None:
    (tmp_path / public).write_text(new_key().public)
    if public == "key.txt":
        new_key().write(tmp_path / "key", tmp_path / "unrelated.pub")
    driver = driver_with(user_public_key_file=tmp_path / public)

    with pytest.raises(InvalidArgumentError, match="finds no private key"):
        deploy(driver)


def test_a_key_of_the_same_type_is_not_taken_for_the_one_that_was_given(
    driver_with: Callable[..., StratusLabNodeDriver],
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    home: Path,
    tmp_path: Path,
) -> None:
    given = new_key()
    given.write(home / ".ssh" / "id_ed25519")
    private = new_key().write(tmp_path / "secret.key", tmp_path / "shown.key")
    driver = driver_with(user_public_key_file=tmp_path / "shown.key", user_private_key_file=private)

    assert deploy(driver, auth=NodeAuthSSHKey(given.public)).id
