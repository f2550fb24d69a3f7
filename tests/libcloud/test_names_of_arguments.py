"""A wrong argument is refused before anything is sent, by the name that the caller wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import Node, NodeAuthPassword, NodeSize, StorageVolume
from libcloud.compute.types import NodeState

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOTH_KINDS = pytest.mark.parametrize("kind", ["stratuslab", "opennebula"])
UUID = "29eca93d-3832-4721-bfe4-3d15a6efa2df"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(locations=["stratuslab", "opennebula:opennebula-6.10"], boot_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def driver(sandbox: Sandbox, kind: str) -> StratusLabNodeDriver:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file, region=kind)
    driver.list_nodes()  # OpenNebula has said its release
    return driver


def _image(driver: StratusLabNodeDriver) -> str:
    return "A" * 27 if driver.region == "stratuslab" else "0"


def _volume(driver: StratusLabNodeDriver) -> StorageVolume:
    return StorageVolume(UUID if driver.region == "stratuslab" else "7", "data", 1, driver)


def _node(driver: StratusLabNodeDriver, node_id: str = "1") -> Node:
    return Node(node_id, "web", NodeState.RUNNING, [], [], driver)


def create(driver: StratusLabNodeDriver, **arguments: Any) -> object:
    size = NodeSize("any", "any", 512, 0, None, 0.0, driver)
    return driver.create_node(**{"name": "web", "size": size, "image": _image(driver), **arguments})


def several(driver: StratusLabNodeDriver, **arguments: Any) -> object:
    return driver.ex_create_nodes(
        **{"count": 2, "name": "web", "size": "m1.small", "image": _image(driver), **arguments}
    )


CALLS: dict[str, tuple[str, Callable[[StratusLabNodeDriver], object]]] = {
    "size None": ("size", lambda driver: create(driver, size=None)),
    "size 5": ("size", lambda driver: create(driver, size=5)),
    "image None": ("image", lambda driver: create(driver, image=None)),
    "image 5": ("image", lambda driver: create(driver, image=5)),
    "image before size": ("image", lambda driver: create(driver, image=None, size="template:0")),
    "auth text": ("auth", lambda driver: create(driver, auth="ssh-rsa AAAA")),
    "auth password": ("auth", lambda driver: create(driver, auth=NodeAuthPassword("opensesame"))),
    "vnc": ("ex_vnc", lambda driver: create(driver, ex_vnc="0.0.0.0:1")),
    "address 5": ("ex_ip_address", lambda driver: create(driver, ex_ip_address=5)),
    "address bytes": ("ex_ip_address", lambda driver: create(driver, ex_ip_address=b"\xc6\x12\x00\x01")),
    "key name": ("ex_keyname", lambda driver: create(driver, ex_keyname=5)),
    "context's key": ("ex_context['a']", lambda driver: create(driver, ex_context={"a": 5})),
    "volume twice": ("ex_volumes", lambda driver: create(driver, ex_volumes=[_volume(driver)] * 2)),
    "volume twice, by its id": (
        "ex_volumes",
        lambda driver: create(driver, ex_volumes=[_volume(driver), _volume(driver).id]),
    ),
    "name of several": ("name", lambda driver: several(driver, name=5)),
    "token of several": ("ex_token", lambda driver: several(driver, ex_token=5)),
    "empty token of several": ("ex_token", lambda driver: several(driver, ex_token="")),
    "volume's size": ("size", lambda driver: driver.create_volume(0, "data")),
    "volume's name": ("name", lambda driver: driver.create_volume(1, 5)),  # type: ignore[arg-type]  # wrong
    "volume's control": ("name", lambda driver: driver.create_volume(1, "a\nb")),
    "volume's long name": ("name", lambda driver: driver.create_volume(1, "a" * 256)),
    "visibility": (
        "ex_visibility",
        lambda driver: driver.create_volume(1, "data", ex_visibility="friends"),  # type: ignore[arg-type]  # wrong
    ),
    "volume's token": ("ex_token", lambda driver: driver.create_volume(1, "data", ex_token="")),
    "volume_id": ("volume_id", lambda driver: driver.ex_get_volume("../x")),
    "volume_id None": ("volume_id", lambda driver: driver.ex_get_volume(None)),  # type: ignore[arg-type]  # wrong
    "image_id": ("image_id", lambda driver: driver.get_image("x")),
    "image_id None": ("image_id", lambda driver: driver.get_image(None)),  # type: ignore[arg-type]  # wrong
    "token None": ("token", lambda driver: driver.ex_find_node(None)),  # type: ignore[arg-type]  # wrong
    "token ''": ("token", lambda driver: driver.ex_find_node("")),
    "size_id None": ("size_id", lambda driver: driver.ex_get_size(None)),  # type: ignore[arg-type]  # wrong
    "nodes": ("nodes", lambda driver: driver.wait_until_running(["1"])),  # type: ignore[list-item]  # wrong
    "node without location": (
        "nodes",
        lambda driver: driver.ex_wait_for_state([_node(driver, "x")], "running"),
    ),
    "wait_period": (
        "wait_period",
        lambda driver: driver.wait_until_running([_node(driver)], wait_period="x"),  # type: ignore[arg-type]  # wrong
    ),
    "wait_period < 0": (
        "wait_period",
        lambda driver: driver.wait_until_running([_node(driver)], wait_period=-1),
    ),
    "timeout": (
        "timeout",
        lambda driver: driver.wait_until_running([_node(driver)], timeout=None),  # type: ignore[arg-type]  # wrong
    ),
    "list's arguments": (
        "ex_list_nodes_kwargs",
        lambda driver: driver.wait_until_running([_node(driver)], ex_list_nodes_kwargs=["x"]),  # type: ignore[arg-type]  # wrong
    ),
    "callback": (
        "callback",
        lambda driver: driver.ex_wait_for_state([_node(driver)], "running", callback="x"),  # type: ignore[arg-type]  # wrong
    ),
    "all users": ("ex_all_users", lambda driver: driver.list_nodes(ex_all_users="maybe")),  # type: ignore[arg-type]  # wrong
    "details": ("ex_details", lambda driver: driver.list_nodes(ex_details="maybe", ex_on_error="skip")),  # type: ignore[arg-type]  # wrong
    "metadata": ("ex_metadata['a']", lambda driver: driver.list_nodes(ex_metadata={"a": 5})),  # type: ignore[dict-item]  # wrong
}


@BOTH_KINDS
@pytest.mark.parametrize("name", CALLS)
def test_the_error_names_the_argument(sandbox: Sandbox, driver: StratusLabNodeDriver, name: str) -> None:
    argument, call = CALLS[name]
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError) as caught:
        call(driver)
    assert caught.value.argument == argument
    assert f"the argument {argument}: " in str(caught.value)
    assert sandbox.request_log.operations() == []
    assert "opensesame" not in str(caught.value)
    assert "object at 0x" not in str(caught.value)


@BOTH_KINDS
@pytest.mark.parametrize("image", [None, 5, StorageVolume])
def test_what_was_found_is_shown_as_it_was_written(driver: StratusLabNodeDriver, image: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        create(driver, image=image)
    assert f"found {image!r}; give an image or its id" in str(caught.value)


@pytest.mark.parametrize("kind", ["opennebula"])
@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("name", lambda driver: driver.create_image(_node(driver), None)),
        ("name", lambda driver: driver.create_image(_node(driver), "a\nb")),
        ("name", lambda driver: driver.create_volume_snapshot(_volume(driver), 5)),
        ("name", lambda driver: driver.get_key_pair(None)),
    ],
    ids=["create_image", "create_image, control", "create_volume_snapshot", "get_key_pair"],
)
def test_names_of_new_things_are_checked_before_the_cloud_is_asked(
    sandbox: Sandbox, driver: StratusLabNodeDriver, argument: str, call: Callable[[Any], object]
) -> None:
    sandbox.request_log.clear()

    with pytest.raises(InvalidArgumentError) as caught:
        call(driver)
    assert caught.value.argument == argument
    assert sandbox.request_log.operations() == []


@pytest.mark.parametrize("kind", ["stratuslab"])
@pytest.mark.parametrize("given", ["false", "0", False, "true", True])
def test_a_truth_value_may_be_text(sandbox: Sandbox, driver: StratusLabNodeDriver, given: Any) -> None:
    """``"false"`` is true in Python: a clean-up would end the nodes of others."""
    oned = sandbox.location("stratuslab").oned
    _, vm_id, _ = oned.call("one.vm.allocate", ['CPU = "1"\nMEMORY = "64"'], "guest")
    oned.call("one.vm.chmod", [vm_id, -1, -1, -1, 1, -1, -1, -1, -1, -1], "guest")

    listed = [node.id for node in driver.list_nodes(ex_all_users=given)]
    assert (str(vm_id) in listed) is (given in ("true", True))


@BOTH_KINDS
def test_networks_and_another_network_are_refused(driver: StratusLabNodeDriver) -> None:
    first, second, *_ = driver.ex_list_networks()

    with pytest.raises(InvalidArgumentError) as caught:
        create(driver, networks=[first], ex_network=second.name)
    assert caught.value.argument == "ex_network"
