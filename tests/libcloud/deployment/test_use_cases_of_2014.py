"""The use cases of 2014 which went on over SSH: with Libcloud's client, and with a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.deployment import ScriptDeployment
from libcloud.compute.ssh import SSHClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.deployment.conftest import KeyPair


@pytest.fixture
def key(new_key: Callable[..., KeyPair], home: Path) -> Path:
    """The user's key, in its usual place."""
    return new_key().write(home / ".ssh" / "id_ed25519")


@pytest.mark.parametrize("system", ["ttylinux", "Ubuntu", "CentOS"])
def test_a_vm_is_accessible(driver: StratusLabNodeDriver, sandbox: Sandbox, key: Path, system: str) -> None:
    size = next(size for size in driver.list_sizes() if size.id == "m1.medium")
    image = next(image for image in driver.list_images() if system.lower() in image.name.lower())
    node = driver.create_node(name=f"{system}-libcloud-node", size=size, image=image, location=None)
    [(_, addresses)] = driver.wait_until_running([node], wait_period=0.05, timeout=60)

    client = SSHClient(hostname=addresses[0], port=sandbox.ssh_port, key_files=str(key), timeout=5)
    driver._ssh_client_connect(ssh_client=client, wait_period=0.05, timeout=60)
    _, _, status = client.run("/bin/true")
    client.close()

    assert status == 0
    assert driver.destroy_node(node)


def test_a_vm_is_deployed(driver: StratusLabNodeDriver, deploy: Callable[..., Any], key: Path) -> None:
    image = next(image for image in driver.list_images() if "CentOS" in image.name)
    node = deploy(
        driver,
        ScriptDeployment("touch STRATUSLAB_DEPLOYMENT"),
        name="centos-libcloud-node",
        image=image,
        location=None,
    )

    assert node.image.id == image.id
