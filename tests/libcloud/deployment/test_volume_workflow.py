"""Create, attach, write, detach, destroy: the life of a volume, with Libcloud's own methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.ssh import ParamikoSSHClient
from libcloud.compute.types import StorageVolumeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.deployment.conftest import KeyPair


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Callable[[Any, str], str]:
    """Run a command on a node with the key in ``tmp_path`` and return what it says."""

    def run_on(node: Any, command: str) -> str:
        client = ParamikoSSHClient(
            node.public_ips[0], sandbox.ssh_port, "root", key_files=str(tmp_path / "key"), timeout=20
        )
        client.connect()  # type: ignore[no-untyped-call]  # Libcloud's own has no types
        try:
            out, err, status = client.run(command, timeout=20)
        finally:
            client.close()  # type: ignore[no-untyped-call]  # Libcloud's own has no types
        assert (err, status) == ("", 0)
        return out

    return run_on


def test_what_is_written_on_a_volume_outlives_the_node(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    new_key: Callable[..., KeyPair],
    run: Callable[[Any, str], str],
    tmp_path: Path,
) -> None:
    key = new_key()
    key.write(tmp_path / "key")
    given = {"auth": NodeAuthSSHKey(key.public), "ssh_key": str(tmp_path / "key")}
    first = deploy(driver, **given)

    volume = driver.create_volume(size=1, name="data")
    assert driver.attach_volume(first, volume) is True
    assert volume.state == StorageVolumeState.INUSE
    device = volume.extra["device"]
    run(first, f"printf 'kept for good' | dd of=dev/{device} conv=notrunc status=none")
    assert volume.detach() is True
    assert first.destroy() is True

    second = deploy(driver, **given)
    [listed] = [volume for volume in driver.list_volumes() if not volume.extra["snapshot_of"]]
    assert (listed.id, listed.state) == (volume.id, StorageVolumeState.AVAILABLE)
    assert listed.attach(second) is True
    assert run(second, f"head -c 13 dev/{listed.extra['device']}") == "kept for good"
    assert listed.detach() is True
    assert listed.destroy() is True

    assert volume.id not in [left.id for left in driver.list_volumes()]
