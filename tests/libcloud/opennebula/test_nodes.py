"""Nodes of OpenNebula 5.12 to 7.4 through the driver: accepted is not done, and what is told is so."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthSSHKey, NodeImage, NodeSize
from libcloud.compute.types import NodeState

from stratuslab.client.errors import (
    ConfigurationError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    NotOfferedError,
    QuotaError,
)
from stratuslab.client.opennebula import orders
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.libcloud.stratuslab_driver import ImageDescription, Vnc
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.sandbox import Sandbox


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0Lq8mVQp1y0y9l2dC7M4b0pJm4v9n1b0v0V7m0Qk4 me@here"


@pytest.fixture(autouse=True)
def _short_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an order that a machine shows no sign of count as failed soon; the sandbox begins it at once."""
    monkeypatch.setattr(orders, "_OLD_STATE_SECONDS", 0.3)


def operations(sandbox: Sandbox) -> list[str]:
    return [seen.operation for seen in sandbox.request_log if seen.operation.startswith("one.")]


def document(sandbox: Sandbox, node: StratusLabNode) -> str:
    return str(sandbox.opennebula("here").oned.call("one.vm.info", ["demo:demo-pass", int(node.id)])[1])


def test_a_node_says_what_the_cloud_says(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    [listed] = driver.list_nodes()
    [detailed] = driver.list_nodes(ex_details=True)

    for seen in (node, listed, detailed):
        assert (seen.id, seen.name, seen.state) == ("0", "web", NodeState.RUNNING)
        assert seen.public_ips == ["198.18.0.10"]
        assert seen.extra["host"]
        assert (seen.extra["cpu"], seen.extra["ram_mib"]) == (1, 512)
        assert seen.image.id == "0"
        assert seen.uuid == node.uuid
    assert detailed.extra["token"]
    assert detailed.extra["attributes"]["LIBCLOUD_TOKEN"] == detailed.extra["token"]
    assert listed.extra["token"] in (None, detailed.extra["token"])


def test_what_the_short_list_does_not_say_is_none(
    kind: str, driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    start(ex_metadata={"a": "b"}, ex_template={"colour": "blue"}, running=False)
    [listed], [detailed] = driver.list_nodes(), driver.list_nodes(ex_details=True)

    assert detailed.extra["attributes"]["COLOUR"] == "blue"
    assert detailed.extra["metadata"] == {"a": "b"}
    short = kind != "opennebula-5.12"
    assert (listed.extra["attributes"] is None) is short
    assert (listed.extra["metadata"] is None) is short
    assert (listed.extra["inbound_ports"] is None) is short
    assert listed.extra["cpu"] == detailed.extra["cpu"] == 1


def test_creating_and_destroying_takes_four_requests(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    driver.destroy_node(driver.create_node("first", size, image))
    sandbox.clock.stop()  # A node that is on its way to its host cannot be terminated.
    sandbox.request_log.clear()

    node = driver.create_node("web", size, image)
    assert driver.destroy_node(node)

    assert operations(sandbox) == ["one.vm.allocate", "one.vm.info", "one.vm.action", "one.vm.info"]
    assert driver.list_nodes() == []


def test_the_release_is_asked_for_once(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    driver.list_nodes()
    driver.list_images()
    driver.ex_list_networks()

    assert operations(sandbox).count("one.system.version") == 1
    assert operations(sandbox)[0] == "one.system.version"


@pytest.mark.parametrize("stage", ["fails", "shutdown"])
def test_a_termination_that_comes_back_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, stage: str
) -> None:
    sandbox.faults.add(f"one.vm.action:nth=1:driver={stage}")

    with pytest.raises(ConflictError, match="RUNNING"):
        driver.destroy_node(node)
    assert node.state == NodeState.RUNNING
    assert driver.destroy_node(node)
    assert driver.ex_get_node_details(node.id) is None


@pytest.mark.parametrize(("stage", "state"), [("shutdown", "RUNNING"), ("epilog", "EPILOG_FAILURE")])
def test_a_shutdown_that_comes_back_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, stage: str, state: str
) -> None:
    sandbox.faults.add(f"one.vm.action:nth=1:driver={stage}")

    with pytest.raises(ConflictError, match=state):
        driver.ex_shutdown_node(node)
    assert driver.ex_get_node_details(node.id) is not None


def test_a_shutdown_that_takes_its_time_is_under_way(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A guest may take minutes, or ignore the request."""
    monkeypatch.setattr(orders, "_LEAVING_SECONDS", 0.2)
    sandbox.faults.add("one.vm.action:nth=1:driver=hangs")

    assert driver.ex_shutdown_node(node)
    assert node.state == NodeState.TERMINATED or node.extra["state"] == "SHUTDOWN"


def test_an_epilog_that_fails_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode
) -> None:
    sandbox.faults.add("one.vm.action:nth=1:driver=epilog")

    with pytest.raises(ConflictError, match="EPILOG_FAILURE"):
        driver.destroy_node(node)
    assert driver.destroy_node(node)


def test_a_node_that_boots_is_destroyed_when_it_has_booted(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    node = start(running=False)

    assert driver.destroy_node(node)
    assert driver.list_nodes() == []


def test_destroying_again_is_no_error(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    assert driver.destroy_node(node)
    assert driver.destroy_node(node)
    node.id = "4711"
    assert driver.destroy_node(node)


def test_stop_start_and_suspend_are_seen_to_be_done(
    driver: OpenNebulaNodeDriver, node: StratusLabNode
) -> None:
    assert driver.stop_node(node)
    assert driver.list_nodes()[0].extra["state"] == "POWEROFF"
    assert driver.start_node(node)
    assert driver.list_nodes()[0].extra["state"] == "RUNNING"
    assert driver.ex_suspend_node(node)
    assert driver.list_nodes()[0].extra["state"] == "SUSPENDED"
    assert driver.start_node(node)
    assert driver.reboot_node(node)
    assert driver.ex_shutdown_node(node)


@pytest.mark.parametrize("order", ["stop_node", "ex_suspend_node"])
def test_an_order_that_fails_in_the_driver_is_no_success(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, order: str
) -> None:
    sandbox.faults.add("one.vm.action:nth=1:driver=fails")

    with pytest.raises(ConflictError, match="RUNNING"):
        getattr(driver, order)(node)


def test_an_order_in_the_wrong_state(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    driver.stop_node(node)
    with pytest.raises(ConflictError, match="POWEROFF"):
        driver.reboot_node(node)


def test_a_boot_that_fails_says_why(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    sandbox.faults.add("one.vm.allocate:nth=1:driver=boot")
    driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    sandbox.clock.step(5)
    [node] = driver.list_nodes()

    assert node.state == NodeState.ERROR
    assert node.extra["error"]
    assert driver.destroy_node(node)


@pytest.mark.parametrize("what", ["cut-after", "cut-at=20", "status=502:carried-out", "garbage"])
def test_one_node_although_the_answer_is_lost(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, what: str
) -> None:
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    sandbox.faults.add(f"one.vm.allocate:nth=1:{what}")

    node = driver.create_node("web", size, image)

    assert [listed.id for listed in driver.list_nodes()] == [node.id]


def test_a_lost_node_is_looked_for_above_the_newest_known(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode
) -> None:
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    sandbox.faults.add("one.vm.allocate:nth=1:cut-after")
    sandbox.request_log.clear()

    other = driver.create_node("web", size, image)

    assert other.id == "1"
    assert "one.vmpool.infoextended" in operations(sandbox)
    assert driver.ex_find_node(other.extra["token"]).id == "1"


def test_a_token_of_ones_own_starts_one_node(
    driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    first = start(ex_token="mine-1", running=False)

    assert start(ex_token="mine-1", running=False).id == first.id
    assert driver.ex_find_node("mine-1").id == first.id
    assert driver.ex_find_node("another") is None


def test_keys_user_data_and_context_reach_the_guest(
    sandbox: Sandbox, start: Callable[..., StratusLabNode]
) -> None:
    node = start(
        auth=NodeAuthSSHKey(KEY), ex_userdata="#!/bin/sh\necho é", ex_context={"role": 'a "b"'}, running=False
    )
    text = document(sandbox, node)

    assert f"<SSH_PUBLIC_KEY><![CDATA[{KEY}]]>" in text
    assert base64.b64encode("#!/bin/sh\necho é".encode()).decode() in text
    assert "<USER_DATA_ENCODING><![CDATA[base64]]>" in text
    assert '<ROLE><![CDATA[a "b"]]>' in text
    assert "<NETWORK><![CDATA[YES]]>" in text


def test_a_vm_template_keeps_its_context_disks_and_networks(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver
) -> None:
    small = driver.ex_get_size("small")
    assert small.id == "template:0"
    plain = driver.create_node("plain", small, driver.get_image("template:0"))
    before = document(sandbox, plain)
    node = driver.create_node("web", small, driver.list_images()[1], auth=NodeAuthSSHKey(KEY))
    text = document(sandbox, node)

    assert plain.extra["template_id"] == node.extra["template_id"] == 0
    assert node.image.id == driver.list_images()[1].id
    assert KEY in text
    kept = re.search(r"<CONTEXT>.*</CONTEXT>", before).group()
    for key in re.findall(r"<(\w+)><!", kept):
        assert f"<{key}>" in text
    assert text.count("<NIC>") == before.count("<NIC>")
    assert text.count("<DISK>") == before.count("<DISK>")


def test_a_vm_template_with_an_instance_type(driver: OpenNebulaNodeDriver) -> None:
    node = driver.create_node("web", driver.ex_get_size("m1.large"), driver.get_image("template:0"))

    assert (node.extra["cpu"], node.extra["ram_mib"]) == (2, 6144)
    assert node.size.id == "m1.large"


def test_a_larger_disk_grows_the_root_disk(driver: OpenNebulaNodeDriver) -> None:
    image = driver.list_images()[0]
    size = NodeSize("x", "x", 512, 20, NOTHING, NOTHING, driver)

    assert driver.create_node("a", size, image).extra["disks"][0]["size_mib"] == 20 * 1024
    by_hand = NodeImage(image.id, "", driver)
    assert driver.create_node("b", size, by_hand).extra["disks"][0]["size_mib"] == 20 * 1024


def test_networks_by_name_by_id_and_several(
    driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    networks = {network.name: network for network in driver.ex_list_networks()}
    assert list(networks) == ["public", "local", "private"]

    assert start("a", ex_network="local", running=False).private_ips
    assert start("b", ex_network=networks["private"].id, running=False).private_ips
    both = start("c", networks=[networks["public"], networks["local"]], running=False)
    assert (len(both.public_ips), len(both.private_ips)) == (1, 1)
    taken = driver.ex_list_networks()[0]
    assert networks["public"].free is not None
    assert taken.free == networks["public"].free - 1
    with pytest.raises(InvalidArgumentError, match=r"ex_network.*'nowhere'.*'public' \(0\)"):
        start("d", ex_network="nowhere", running=False)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("ex_save_as", ImageDescription("me@example.org")),
        ("ex_readonly_images", ["1"]),
        ("ex_context_method", "one"),
        ("ex_kernel", "/boot/vmlinuz"),
        ("ex_initrd", "/boot/initrd"),
        ("ex_raw_data", "<x/>"),
    ],
)
def test_what_the_cloud_does_not_know_is_refused_by_name(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, argument: str, value: Any
) -> None:
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError, match=argument) as refusal:
        driver.create_node("web", size, image, **{argument: value})
    assert isinstance(refusal.value, NotOfferedError)
    assert operations(sandbox) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "a;b"}, "the argument name: holds ';'"),
        ({"name": "x" * 129}, "the argument name"),
        ({"image": NodeImage("A" * 27, "", NOTHING)}, "the argument image.*the id of an image is a number"),
        ({"ex_context": {"a": "$b"}}, "ex_context"),
        ({"ex_context": {"user_data": "x"}, "ex_userdata": "y"}, "ex_context.*USER_DATA"),
        ({"ex_template": {"CPU": 1}}, "ex_template"),
        ({"ex_template": {"a b": 1}}, "ex_template"),
        ({"ex_template": {"a": object()}}, "ex_template"),
        ({"ex_ip_address": "x"}, "ex_ip_address"),
        ({"ex_volumes": ["no-number"]}, "ex_volumes"),
        ({"ex_volatile_disk": 0}, "ex_volatile_disk"),
        ({"ex_disks_bus": "floppy"}, "ex_disks_bus"),
        ({"ex_network": ""}, "ex_network"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, arguments: dict[str, Any], words: str
) -> None:
    given: dict[str, Any] = {
        "name": "web",
        "size": driver.list_sizes()[0],
        "image": driver.list_images()[0],
    } | arguments
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError, match=words):
        driver.create_node(**given)
    assert operations(sandbox) == []


def test_further_disks_display_and_requirements(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    volume = driver.create_volume(1, "data")
    node = start(
        ex_volumes=[volume],
        ex_volatile_disk=1,
        ex_vnc=Vnc(listen="127.0.0.1"),
        ex_requirements='NAME = "node"',
        ex_cpu_share=0.5,
        ex_disks_bus="virtio",
        running=False,
    )

    assert [disk["image_id"] for disk in node.extra["disks"]] == [0, None, None, int(volume.id)]
    assert node.extra["disks"][0]["target"] == "vda"
    assert node.extra["graphics"]["LISTEN"] == "127.0.0.1"
    assert node.extra["requirements"] == 'NAME = "node"'
    assert node.extra["cpu_share"] == 0.5
    assert "GRAPHICS" not in document(sandbox, start("b", ex_vnc=None, running=False))


def test_a_quota_is_told_with_its_limit(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode]
) -> None:
    driver.list_key_pairs()
    [user] = [user for user in sandbox.opennebula("here").oned.books.users.values() if user.name == "demo"]
    user.quotas["VM//VMS"] = "0"

    with pytest.raises(QuotaError, match="limit of 0 reached for VMS quota"):
        start(running=False)
    assert driver.list_nodes() == []


def test_a_vm_template_that_is_missing(driver: OpenNebulaNodeDriver) -> None:
    with pytest.raises(NotFoundError):
        driver.get_image("template:99")


def test_a_login_token_is_a_password(sandbox: Sandbox) -> None:
    _, token, _ = sandbox.opennebula("here").oned.call(
        "one.user.login", ["demo:demo-pass", "demo", "", 60, -1]
    )
    driver = OpenNebulaNodeDriver("demo", str(token), host=f"{sandbox.url}/here/RPC2")

    assert driver.list_nodes() == []


def test_a_cloud_that_shows_no_network_is_told_as_such(
    sandbox: Sandbox, start: Callable[..., StratusLabNode]
) -> None:
    oned = sandbox.opennebula("here").oned
    with oned.lock:
        oned.books.networks.clear()

    none = "the cloud shows this user no network at all; ask its administrators"
    with pytest.raises(InvalidArgumentError, match=f"found 'lan'; there is no such network; {none}"):
        start(ex_network="lan", running=False)
    with pytest.raises(ConfigurationError, match=f"default_network: found 'public'; .*; {none}"):
        start(running=False)
