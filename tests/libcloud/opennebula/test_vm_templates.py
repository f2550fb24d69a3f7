"""What a VM template says is kept, but for what is asked for in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from libcloud.compute.base import NodeImage, NodeSize

from stratuslab.client.errors import ConflictError, NotFoundError
from stratuslab.sandbox.opennebula.model.permissions import USED_BY_ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from libcloud.compute.base import Node

    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.sandbox import Sandbox


@pytest.fixture
def make(sandbox: Sandbox) -> Callable[..., str]:
    """Make a VM template as an administrator, usable by everybody, and return its id."""
    oned = sandbox.opennebula("here").oned

    def made(text: str, name: str = "own") -> str:
        sizes = "CPU = 0.5\nVCPU = 2\nMEMORY = 96\n"
        accepted, number, *_ = oned.call(
            "one.template.allocate", ["oneadmin:", f"NAME = {name}\n{sizes}{text}"]
        )
        assert accepted, number
        with oned.lock:
            oned.books.templates[int(str(number))].permissions = USED_BY_ALL
        return f"template:{number}"

    return made


def flavour(driver: OpenNebulaNodeDriver, template_id: str) -> NodeSize:
    [location] = driver.list_locations()
    return next(size for size in driver.list_sizes(location) if size.id == template_id)


def template_of(sandbox: Sandbox, node: Node) -> ElementTree.Element:
    document = sandbox.opennebula("here").oned.document(int(str(node.id)))
    template = ElementTree.fromstring(document).find("TEMPLATE")
    assert template is not None
    return template


@pytest.mark.parametrize("networks", [["local"], ["local", "private"]])
def test_nics_keep_their_model_and_limits_on_other_networks(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, make: Callable[..., str], networks: list[str]
) -> None:
    nic = 'NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin", MODEL = "virtio", INBOUND_AVG_BW = "100" ]'
    size = flavour(driver, make(f"DISK = [ IMAGE_ID = 0 ]\n{nic}\n"))
    wanted = [network for network in driver.ex_list_networks() if network.name in networks]

    node = driver.create_node("web", size=size, image=driver.get_image("0"), networks=wanted)

    nics = template_of(sandbox, node).findall("NIC")
    assert [(nic.findtext("NETWORK"), nic.findtext("MODEL")) for nic in nics] == [
        (network, "virtio" if number == 0 else None) for number, network in enumerate(networks)
    ]
    assert nics[0].findtext("INBOUND_AVG_BW") == "100"


@pytest.mark.parametrize(
    ("disk", "gib", "grown_mib"),
    [
        ("IMAGE_ID = 0", 1, 2048),
        ("IMAGE_ID = 0", 3, 3072),
        ('IMAGE = "debian-12", IMAGE_UNAME = "oneadmin"', 1, 2048),
        ('IMAGE = "debian-12", IMAGE_UNAME = "oneadmin"', 3, 3072),
        ("IMAGE_ID = 0, SIZE = 4096", 3, 4096),
        ("IMAGE_ID = 0, SIZE = 4096", 5, 5120),
    ],
)
def test_the_size_of_a_disk_only_grows(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    make: Callable[..., str],
    disk: str,
    gib: int,
    grown_mib: int,
) -> None:
    image = driver.get_image(make(f"DISK = [ {disk} ]\nDISK = [ TYPE = swap, SIZE = 64 ]\n"))
    size = NodeSize("any", "any", 128, gib, 0, 0, driver)

    node = driver.create_node("web", size=size, image=image)

    sizes = [disk.findtext("SIZE") for disk in template_of(sandbox, node).findall("DISK")]
    assert sizes == [str(grown_mib), "64"]


def test_an_image_takes_the_place_of_a_root_disk_that_names_no_owner(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, make: Callable[..., str]
) -> None:
    """A name alone is that of an image of the user's own."""
    size = flavour(driver, make('DISK = [ IMAGE = "debian-12", DEV_PREFIX = "vd" ]\n'))

    node = driver.create_node("web", size=size, image=driver.get_image("0"))

    [disk] = template_of(sandbox, node).findall("DISK")
    assert (disk.findtext("IMAGE_ID"), disk.findtext("DEV_PREFIX")) == ("0", "vd")


def test_a_vm_template_without_cpus_as_size_of_one_with_some_means_one(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, make: Callable[..., str]
) -> None:
    image = driver.get_image(make("DISK = [ IMAGE_ID = 0 ]\n"))
    oned = sandbox.opennebula("here").oned
    accepted, number, *_ = oned.call(
        "one.template.allocate", ["demo:demo-pass", "NAME = bare\nCPU = 1\nMEMORY = 64\n"]
    )
    assert accepted, number
    size = flavour(driver, f"template:{number}")
    assert size.extra["cpu"] == 1

    node = driver.create_node("web", size=size, image=image)

    assert template_of(sandbox, node).findtext("VCPU") == "1"


@pytest.mark.parametrize("as_template", [False, True])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"ex_ip_address": "203.0.113.1"}, ConflictError),
        ({"ex_network": "77"}, NotFoundError),
        ({"ex_volumes": ["77"]}, NotFoundError),
    ],
)
def test_what_keeps_a_node_from_being_made_is_the_same_error_for_every_way_to_make_it(
    driver: OpenNebulaNodeDriver,
    make: Callable[..., str],
    arguments: dict[str, Any],
    error: type[Exception],
    as_template: bool,
) -> None:
    template_id = make("DISK = [ IMAGE_ID = 0 ]\nNIC = [ NETWORK_ID = 0 ]\n")
    size = flavour(driver, template_id) if as_template else driver.list_sizes()[0]

    with pytest.raises(error):
        driver.create_node("web", size=size, image=NodeImage("0", "any", driver), **arguments)

    assert driver.list_nodes() == []
