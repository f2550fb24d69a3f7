"""The life of a node: the script of the first release's README, with a print after every step.

Run it on the cloud of your configuration, or on the sandbox:

    stratuslab-sandbox exec -- python examples/lifecycle.py
"""

import time

from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

import stratuslab.libcloud.stratuslab_driver


def watch(node, last_state, timeout=300):
    """Print every new state of a node until it is `last_state`."""
    end = time.monotonic() + timeout
    seen = ""
    while seen != last_state and time.monotonic() < end:
        if node.state.value != seen:
            seen = node.state.value
            print(f"state:      {seen} ({node.extra['state']}) on {node.host or 'no host yet'}")
        time.sleep(0.2)


def show(nodes):
    """Print a list of nodes."""
    print("nodes:     ", ", ".join(f"{node.name} ({node.state})" for node in nodes) or "none")


StratusLabDriver = get_driver(Provider.STRATUSLAB)
driver = StratusLabDriver("default")
print(f"driver:     {stratuslab.libcloud.stratuslab_driver.__name__}")

sizes = driver.list_sizes()
print("sizes:     ", ", ".join(f"{size.name} ({size.cpu} CPU, {size.ram} MiB)" for size in sizes))
size = sizes.pop()

locations = driver.list_locations()
print("locations: ", ", ".join(location.name for location in locations))
location = locations.pop()

images = driver.list_images()
print("images:    ", ", ".join(image.name for image in images))
image = images.pop()

show(driver.list_nodes())

node = driver.create_node(name="mynode", size=size, location=location, image=image)
print(f"created:    {node.name}, id {node.id}, at {', '.join(node.public_ips)}")
show(driver.list_nodes())
watch(node, "running")

node.destroy()
print(f"destroyed:  {node.name}")
watch(node, "terminated")
show(driver.list_nodes())
