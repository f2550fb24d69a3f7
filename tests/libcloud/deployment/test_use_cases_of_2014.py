"""The use cases of 2014 which went on over SSH: with Libcloud's client, and with a deployment."""

from __future__ import annotations

import pytest
from libcloud.compute.deployment import ScriptDeployment
from libcloud.compute.ssh import SSHClient


@pytest.fixture
def key(new_key, home):
    """The user's key, in its usual place."""
    return new_key().write(home / ".ssh" / "id_ed25519")


@pytest.mark.parametrize("system", ["ttylinux", "Ubuntu", "CentOS"])
def test_a_vm_is_accessible(driver, sandbox, key, system: str) -> None:
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


def test_a_vm_is_deployed(driver, deploy, key) -> None:
    image = next(image for image in driver.list_images() if "CentOS" in image.name)
    node = deploy(
        driver,
        ScriptDeployment("touch STRATUSLAB_DEPLOYMENT"),
        name="centos-libcloud-node",
        image=image,
        location=None,
    )

    assert node.image.id == image.id
