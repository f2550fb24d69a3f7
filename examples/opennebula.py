"""Daily work on an OpenNebula cloud: a node, a volume written over SSH, an image; all removed at the end.

Run it on the cloud of your configuration, or on the sandbox:

    stratuslab-sandbox exec --cloud opennebula-6.10 --ssh -- python examples/opennebula.py
"""

import os
import tempfile
import time
from pathlib import Path

from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.ssh import ParamikoSSHClient

from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver

CLOUD_INIT = """#cloud-config
package_update: false
"""
SSH_PORT = int(os.environ.get("STRATUSLAB_SANDBOX_SSH_PORT", "22"))


def connect(client, timeout=300):
    """Connect as soon as the machine answers."""
    end = time.monotonic() + timeout
    while True:
        try:
            return client.connect()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


driver = OpenNebulaNodeDriver("unused: the file says who we are")
pair = driver.create_key_pair("day")
image = driver.list_images()[0]
volume = driver.create_volume(1, "data of the day")
print(f"volume:     {volume.name}, {volume.size} GiB, {volume.state}")

with tempfile.TemporaryDirectory() as folder:
    key = Path(folder) / "key"
    key.touch(0o600)
    key.write_text(pair.private_key)
    node = driver.create_node(
        "day",
        driver.ex_get_size("m1.small"),
        image,
        auth=NodeAuthSSHKey(pair.public_key),
        ex_userdata=CLOUD_INIT,
    )
    [(node, addresses)] = driver.wait_until_running([node], wait_period=0.2)
    print(f"node:       {node.name} is {node.state}")

    driver.attach_volume(node, volume)
    device = volume.extra["device"]
    print(f"attached:   {volume.name} as {device}")
    client = ParamikoSSHClient(addresses[0], SSH_PORT, "root", key_files=str(key), timeout=20)
    connect(client)
    command = f"printf 'kept for good' | dd of=dev/{device} conv=notrunc status=none"
    _, _, status = client.run(command, timeout=20)
    client.close()
    print(f"written:    {status}")

driver.detach_volume(volume)
golden = driver.create_image(node, "image of the day", "made of a node")
print(f"saved:      {golden.name} is {golden.extra['state']}")

driver.destroy_node(node)
driver.destroy_volume(volume)
driver.delete_image(golden)
driver.delete_key_pair(pair)
print("left:      ", len(driver.list_nodes()), "nodes,", len(driver.list_volumes()), "volumes")
