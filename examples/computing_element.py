"""A computing element of a grid site, like DIRAC's: it starts virtual workers on a cloud and ends them.

It knows only Libcloud, the name of the driver's class, and the driver's options, which are text as in a
configuration file:

    stratuslab-sandbox exec -- python examples/computing_element.py

If the file has several locations, give each element its own: python examples/computing_element.py REGION
"""

import calendar
import sys
import time
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from libcloud.common.types import LibcloudError
from libcloud.compute.providers import get_driver, set_driver
from libcloud.compute.types import NodeState, Provider

PROVIDER = "stratuslab.libcloud.stratuslab_driver.StratusLabNodeDriver"
KEY, SECRET = "unused", None
DRIVER_OPTIONS = {"timeout": "30", "ex_state_max_age": "0.5"}
IMAGE, SIZE, NETWORK = "CentOS", "m1.small", "public"
PREFIX = "worker-"
MAX_AGE_SECONDS = 24 * 3600


def driver_class(name):
    """Find a driver by the name of a provider or by a dotted path."""
    if hasattr(Provider, name.upper()):
        return get_driver(getattr(Provider, name.upper()))
    module, _, class_name = name.rpartition(".")
    return set_driver(name, module, class_name)


def find(items, wanted):
    """Choose an image, size or network by its id, or by the beginning of its name."""
    for item in items:
        if item.id == wanted or item.name.startswith(wanted):
            return item
    raise LookupError(wanted)


def user_data():
    """Return what the cloud-init of a worker runs."""
    message = MIMEMultipart()
    message.attach(MIMEText("#!/bin/sh\necho 'the pilot starts'\n", "x-shellscript"))
    return message.as_string()


def submit(driver):
    """Start a worker and return the site's name for it."""
    node = driver.create_node(
        name=f"{PREFIX}{int(time.time())}",
        image=find(driver.list_images(), IMAGE),
        size=find(driver.list_sizes(), SIZE),
        networks=[find(driver.ex_list_networks(), NETWORK)],
        ex_keyname="site-key",
        ex_config_drive=True,
        ex_userdata=user_data(),
    )
    return "vm://" + node.id


def status(driver, worker):
    """Return what a worker does, in the words of a batch system."""
    node = driver.ex_get_node_details(worker.removeprefix("vm://"))
    if node is None or node.state == NodeState.TERMINATED:
        return "done"
    if node.state in (NodeState.STOPPED, NodeState.ERROR):
        return "failed"
    return "running" if node.state == NodeState.RUNNING else "waiting"


def clean_up(driver, max_age):
    """Destroy the workers that failed or are too old, and return their names."""
    gone = []
    for node in driver.list_nodes():
        age = time.time() - calendar.timegm(node.created_at.utctimetuple())
        if node.name.startswith(PREFIX) and (node.state == NodeState.ERROR or age >= max_age):
            try:
                driver.destroy_node(node)
            except LibcloudError as error:
                print(f"{node.name} is left: {error}")
            else:
                gone.append(node.name)
    return gone


region = sys.argv[1] if len(sys.argv) > 1 else None
driver = driver_class(PROVIDER)(KEY, secret=SECRET, region=region, **DRIVER_OPTIONS)
worker = submit(driver)
print("submitted:", worker)
while (now := status(driver, worker)) == "waiting":
    time.sleep(0.2)
print("status:   ", now)
print("too old:  ", clean_up(driver, MAX_AGE_SECONDS))
print("cleaned:  ", len(clean_up(driver, 0)))
while status(driver, worker) != "done":
    time.sleep(0.2)
print("status:   ", status(driver, worker))
print("unknown:  ", status(driver, "vm://4711"))
