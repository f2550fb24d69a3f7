"""The image pool, VM templates, networks and key pairs through the driver."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    NotOfferedError,
    ServiceError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.sandbox import Sandbox


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0Lq8mVQp1y0y9l2dC7M4b0pJm4v9n1b0v0V7m0Qk4 me@here"


def test_images_of_a_kind(driver: OpenNebulaNodeDriver) -> None:
    driver.create_volume(1, "data")
    machines = driver.list_images()
    templates = driver.list_images(ex_kind="template")

    assert {image.extra["type"] for image in machines} == {"OS"}
    assert {image.extra["state"] for image in machines} <= {"READY", "USED"}
    assert [image.name for image in driver.list_images(ex_kind="disk")] == ["data"]
    assert {(image.id, image.name) for image in templates} == {
        ("template:0", "small"),
        ("template:1", "medium"),
    }
    assert len(driver.list_images(ex_kind="all")) >= len(machines) + 3
    assert (
        driver.list_images(ex_search="DEBIAN") == []
        or "debian" in driver.list_images(ex_search="DEBIAN")[0].name
    )
    assert driver.get_image(machines[0].id).name == machines[0].name
    assert json.dumps([image.extra for image in driver.list_images(ex_kind="all")])
    with pytest.raises(NotOfferedError, match="ex_status"):
        driver.list_images(ex_status="expired")
    with pytest.raises(NotFoundError):
        driver.get_image("4711")
    with pytest.raises(InvalidArgumentError, match="number"):
        driver.get_image("debian")


def test_an_image_of_a_node(driver: OpenNebulaNodeDriver, node: StratusLabNode) -> None:
    image = driver.create_image(node, "golden", "My image")

    assert (image.name, image.extra["state"], image.extra["description"]) == ("golden", "READY", "My image")
    assert driver.get_image(image.id).extra["attributes"]["SAVED_VM_ID"] == node.id
    with pytest.raises(ConflictError, match="golden"):
        driver.create_image(node, "golden")
    copy = driver.copy_image("here", image, "copy")
    assert copy.id != image.id
    other = driver.create_node("from it", driver.list_sizes()[0], image)
    with pytest.raises(ConflictError, match="using it"):
        driver.delete_image(image)
    driver.destroy_node(other)
    assert driver.delete_image(image)
    assert driver.delete_image(copy)
    assert "golden" not in [found.name for found in driver.list_images(ex_status="all")]


def test_an_image_that_cannot_be_made_leaves_nothing(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode
) -> None:
    sandbox.faults.add("one.vm.disksaveas:nth=1:driver=fails")
    before = [image.id for image in driver.list_images(ex_status="all")]

    with pytest.raises(ServiceError, match="could not make"):
        driver.create_image(node, "golden")
    assert [image.id for image in driver.list_images(ex_status="all")] == before


@pytest.mark.parametrize("what", ["cut-after", "garbage"])
def test_one_image_although_the_answer_is_lost(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, node: StratusLabNode, what: str
) -> None:
    sandbox.faults.add(f"one.vm.disksaveas:nth=1:{what}")

    image = driver.create_image(node, "golden")

    assert [found.id for found in driver.list_images(ex_search="golden")] == [image.id]


def test_what_is_not_deleted_or_copied(driver: OpenNebulaNodeDriver) -> None:
    template = driver.get_image("template:0")
    with pytest.raises(NotOfferedError):
        driver.delete_image(template)
    with pytest.raises(NotOfferedError):
        driver.copy_image("here", template, "x")
    no_image: Any = "0"
    with pytest.raises(InvalidArgumentError, match="node_image"):
        driver.delete_image(no_image)


def test_sizes_are_instance_types_and_vm_templates(driver: OpenNebulaNodeDriver) -> None:
    sizes = {size.name: size for size in driver.list_sizes()}

    assert {"m1.small", "small", "medium"} <= set(sizes)
    assert sizes["small"].ram > 0
    assert driver.ex_get_size("small").id == sizes["small"].id


def test_networks_with_their_free_addresses(driver: OpenNebulaNodeDriver) -> None:
    [public, local, private] = driver.ex_list_networks()

    assert (public.name, local.name, private.name) == ("public", "local", "private")
    assert public.free == public.extra["size"] > 0
    assert public.extra["location"] == "here"


def test_key_pairs(
    driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode], sandbox: Sandbox
) -> None:
    assert driver.list_key_pairs() == []
    pair = driver.import_key_pair_from_string("lap top", KEY)
    made = driver.create_key_pair("made")

    assert pair.public_key == KEY
    assert pair.fingerprint
    assert made.private_key
    assert "PRIVATE KEY" in made.private_key
    assert [found.name for found in driver.list_key_pairs()] == ["lap top", "made"]
    assert driver.get_key_pair("made").public_key == made.public_key
    with pytest.raises(ConflictError, match="already"):
        driver.import_key_pair_from_string("made", KEY)
    node = start(ex_keyname="lap top", running=False)
    text = sandbox.opennebula("here").oned.call("one.vm.info", ["demo:demo-pass", int(node.id)])[1]
    assert KEY in str(text)
    assert driver.delete_key_pair(pair)
    assert [found.name for found in driver.list_key_pairs()] == ["made"]
    for call in (lambda: driver.get_key_pair("lap top"), lambda: driver.delete_key_pair(pair)):
        with pytest.raises(NotFoundError, match="lap top"):
            call()
    with pytest.raises(NotFoundError, match="lap top"):
        start(ex_keyname="lap top", running=False)


def test_key_pairs_from_files(driver: OpenNebulaNodeDriver, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(KEY)

    assert driver.import_key_pair_from_file("file", str(file)).public_key == KEY
    with pytest.raises(InvalidArgumentError, match="key_file_path"):
        driver.import_key_pair_from_file("other", str(tmp_path / "none"))
    with pytest.raises(InvalidArgumentError, match="private key"):
        driver.import_key_pair_from_string("x", "-----BEGIN OPENSSH PRIVATE KEY-----")


def test_key_pairs_leave_all_else_of_the_user_alone_and_secrets_unsaid(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    oned = sandbox.opennebula("here").oned
    session = "demo:demo-pass"
    token = str(oned.call("one.user.login", [session, "demo", "", 60, -1])[1])
    number = driver.list_key_pairs() or 0
    del number
    caplog.set_level(logging.DEBUG)
    pair = driver.import_key_pair_from_string("mine", KEY)
    driver.delete_key_pair(pair)

    assert token in str(oned.call("one.user.info", [session, -1])[1])
    assert token not in caplog.text
    assert token not in repr(vars(pair))
