"""Starting nodes."""

from __future__ import annotations

import base64
import gzip
import logging
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.common.types import LibcloudError
from libcloud.compute.base import NodeAuthPassword, NodeAuthSSHKey, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

from stratuslab.client.errors import ConfigurationError, InvalidArgumentError, NotFoundError
from stratuslab.libcloud.stratuslab_driver import ImageDescription, StratusLabNodeDriver, Vnc
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from stratuslab.sandbox import Sandbox

OCTETS: Any = b"ssh-rsa AAAA"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiYw demo@example.org"


def start(driver: StratusLabNodeDriver, **arguments: Any) -> Any:
    given = {"name": "web", "size": driver.list_sizes()[1], "image": driver.list_images()[0], **arguments}
    driver_log = given.pop("log", None)
    if driver_log is not None:
        driver_log.clear()
    return driver.create_node(**given)


def sent(sandbox: Sandbox, node: Any) -> dict[str, list[Any]]:
    """Return what OpenNebula made of the template: attribute to its values."""
    found: dict[str, list[Any]] = {}
    for name, value in _template(sandbox.location("here").oned.document(int(node.id))):
        found.setdefault(name, []).append(value)
    return found


def _template(document: str) -> list[tuple[str, Any]]:
    from xml.etree import ElementTree

    template = ElementTree.fromstring(document).find("TEMPLATE")
    assert template is not None
    return [
        (item.tag, {child.tag: child.text for child in item} if len(item) else item.text) for item in template
    ]


def image_with(driver: StratusLabNodeDriver, **wanted: str) -> NodeImage:
    return next(
        image
        for image in driver.list_images()
        if all(image.extra[key] == value for key, value in wanted.items())
    )


def test_a_node_comes_back_pending_with_its_address(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    size, image = driver.list_sizes()[1], driver.list_images()[0]
    node = driver.create_node("web", size, image)

    assert (node.id, node.name, node.state) == ("0", "web", NodeState.PENDING)
    assert len(node.public_ips) == 1
    assert (node.size, node.image) == (size, image)
    assert (node.location, node.host) == (driver.default_location, None)
    assert [found.id for found in driver.list_nodes()] == ["0"]


def test_from_a_listed_image_two_requests(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    start(driver, log=sandbox.request_log)

    assert sandbox.request_log.operations() == ["one.vm.allocate", "one.vm.info"]


def test_from_a_bare_identifier_three_requests(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    image = NodeImage(driver.list_images()[0].id, NOTHING, driver)
    start(driver, image=image, log=sandbox.request_log)

    assert sandbox.request_log.operations() == ["GET /metadata/ID", "one.vm.allocate", "one.vm.info"]


def test_the_template_is_that_of_14_06(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    image = image_with(driver, disks_bus="virtio")
    node = start(driver, image=image, auth=NodeAuthSSHKey(KEY))
    found = sent(sandbox, node)

    assert found["CPU"] == found["VCPU"] == ["1"]
    assert found["MEMORY"] == ["1536"]
    assert found["NAME"] == ["web"]
    assert found["RANK"] == ["- RUNNING_VMS"]
    assert found["DISK"] == [
        {
            "DISK_ID": "0",
            "DRIVER": image.extra["format"],
            "READONLY": "no",
            "SAVE": "no",
            "SOURCE": image.extra["url"],
            "TARGET": "vda",
        },
        {"DISK_ID": "1", "READONLY": "no", "SIZE": "1536", "TARGET": "vdb", "TYPE": "swap"},
    ]
    [nic] = found["NIC"]
    assert (nic["NETWORK"], nic["NETWORK_UNAME"], nic["IP"]) == ("public", "oneadmin", node.public_ips[0])
    assert found["GRAPHICS"] == [{"PORT": "-1", "TYPE": "vnc"}]
    assert found["CONTEXT"] == [{"PUBLIC_KEY": f"{KEY}\n", "TARGET": "hdd"}]


@pytest.mark.parametrize("bare", [False, True], ids=["listed", "bare"])
def test_bus_format_and_ports_of_the_image_reach_the_template(
    sandbox: Sandbox, driver: StratusLabNodeDriver, bare: bool
) -> None:
    image = next(image for image in driver.list_images() if image.extra["inbound_ports"])
    found = sent(sandbox, start(driver, image=NodeImage(image.id, NOTHING, driver) if bare else image))

    assert found["INBOUND_PORTS"] == [",".join(image.extra["inbound_ports"])]
    assert found["DISK"][0]["DRIVER"] == image.extra["format"]
    prefix = {"ide": "hd", "scsi": "sd", "virtio": "vd", None: "hd"}[image.extra["disks_bus"]]
    assert found["DISK"][0]["TARGET"] == f"{prefix}a"


def test_ports_of_one_image_do_not_reach_the_next_node(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    with_ports = next(image for image in driver.list_images() if image.extra["inbound_ports"])
    without = next(image for image in driver.list_images() if not image.extra["inbound_ports"])
    start(driver, image=with_ports)

    assert "INBOUND_PORTS" not in sent(sandbox, start(driver, image=without))


def test_any_drivers_size_will_do(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    plain = NodeSize("x", "x", 777, 20, None, 0.0, driver)
    ram: Any = 888.0
    more = NodeSize("y", "y", ram, 20, None, 0.0, driver, extra={"cpu": 3.0, "swap": 64})

    found = sent(sandbox, start(driver, size=plain))
    assert (found["VCPU"], found["MEMORY"], len(found["DISK"])) == (["1"], ["777"], 1)
    found = sent(sandbox, start(driver, size=more))
    assert (found["VCPU"], found["MEMORY"], found["DISK"][1]["SIZE"]) == (["3"], ["888"], "64")


@pytest.mark.parametrize(
    ("ram", "extra", "message"),
    [
        (None, {}, "the argument size: found 'x'; give a NodeSize with ram, or one of"),
        (512, {"cpu": 0.5}, r"size.extra\['cpu'\]: found 0.5; give a whole number"),
        (512, {"swap": "much"}, r"size.extra\['swap'\]: found 'much'; give a whole number"),
        (512, {"cpu": -1}, r"size.extra\['cpu'\]: found -1; give a whole number from 1"),
    ],
)
def test_a_size_that_is_none_is_refused(
    driver: StratusLabNodeDriver, ram: Any, extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        start(driver, size=NodeSize("x", "x", ram, 0, NOTHING, NOTHING, driver, extra=extra))


def test_from_a_volume(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "boots")
    node = start(driver, image=NodeImage(volume.id.upper(), NOTHING, driver))

    base = sandbox.endpoints["here"]["pdisk_endpoint"]
    assert sent(sandbox, node)["DISK"][0]["SOURCE"] == f"pdisk:{base}/{volume.id}"
    assert sandbox.request_log.operations()[-2:] == ["one.vm.allocate", "one.vm.info"]


def test_from_a_url(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    image = driver.list_images()[0]
    node = start(driver, image=NodeImage(image.extra["url"], NOTHING, driver))

    assert sent(sandbox, node)["DISK"][0]["SOURCE"] == image.extra["url"]
    assert node.image.id == image.extra["url"]
    assert driver.list_nodes()[0].image.id == image.id


@pytest.mark.parametrize("identifier", ["not an image", "", "x" * 28, "ftp://host/image", None, 5])
def test_what_is_no_image_is_refused(driver: StratusLabNodeDriver, sandbox: Sandbox, identifier: Any) -> None:
    image = NodeImage(identifier, NOTHING, driver)
    sizes = driver.list_sizes()

    with pytest.raises(InvalidArgumentError, match="the argument image: found the id"):
        driver.create_node("x", sizes[0], image)
    assert len(sandbox.request_log) == 0


def test_an_unknown_image_makes_no_node(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    with pytest.raises(NotFoundError, match="unknown to the Marketplace"):
        start(driver, image=NodeImage("A" * 27, NOTHING, driver))
    assert driver.list_nodes() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a<b"}, "the argument name: holds '<'"),
        ({"name": "x" * 129}, "the argument name: has 129 characters"),
        ({"name": "é" * 65}, "the argument name: has 130 bytes"),
        ({"name": 7}, "the argument name: found a int"),
        ({"ex_context": [("a", "b")]}, "the argument ex_context: found a list"),
        ({"ex_context_method": "amazon"}, "the argument ex_context_method: found 'amazon'"),
        ({"ex_vnc": 5900}, "the argument ex_vnc: found a int"),
        ({"ex_save_as": "me@example.org"}, "the argument ex_save_as: found a str"),
        ({"ex_userdata": 7}, "the argument ex_userdata: found a int"),
        ({"auth": NodeAuthSSHKey("")}, "the argument auth: holds no key"),
        ({"auth": NodeAuthSSHKey(" \n")}, "the argument auth: holds no key"),
        ({"auth": NodeAuthSSHKey(NOTHING)}, "the argument auth: holds no key"),
        ({"auth": NodeAuthSSHKey(OCTETS)}, "the argument auth: found a bytes"),
        ({"name": "back\\"}, "the argument name: ends with a backslash"),
        ({"name": "smile \U0001f600"}, r"the argument name: holds the character U\+1F600"),
        ({"name": "bell\x07"}, r"the argument name: holds the character U\+0007"),
        (
            {"size": "m9.huge"},
            r"the argument size: found 'm9.huge'; give a NodeSize with ram, or one of .*m1.small",
        ),
        ({"size": None}, "the argument size: found None"),
        ({"image": "some-image"}, "the argument image: found the id 'some-image'"),
        ({"location": "nowhere"}, "the argument location: found 'nowhere'"),
        ({"ex_network": "lan"}, "the argument ex_network: found 'lan'; use public, local, private"),
        ({"ex_ip_address": "10.0.0"}, "the argument ex_ip_address: found '10.0.0'"),
        ({"ex_cpu_share": 0}, "the argument ex_cpu_share: found 0"),
        ({"ex_cpu_share": True}, "the argument ex_cpu_share: found True"),
        ({"ex_cpu_share": "1"}, "the argument ex_cpu_share: found .1."),
        (
            {"ex_volatile_disk": 0},
            "ex_volatile_disk: found 0; give a whole number of GiB from 1",
        ),
        (
            {"ex_volatile_disk": "big"},
            "ex_volatile_disk: found 'big'; give a whole number of GiB from 1",
        ),
        ({"ex_volumes": "95b75092-17d2-459f-9fa0-cd1deaa721f1"}, "ex_volumes: found .* give a list"),
        ({"ex_volumes": ["x"]}, "the argument ex_volumes: found the id 'x'"),
        ({"ex_context": {"a b": "c"}}, "found the key 'a b'"),
        ({"ex_context": {"a": ""}}, r"ex_context\['a'\]: is empty"),
        ({"ex_context": {"a": "$HOME"}}, r"ex_context\['a'\]: holds a \$"),
        ({"ex_context": {"public_key": "x"}}, "PUBLIC_KEY is set already"),
        ({"ex_context": {"a": 5}}, r"ex_context\['a'\]: found a int"),
        (
            {"ex_userdata": b"".join(bytes([i * j % 251]) for i in range(256) for j in range(256))},
            "16384 at most",
        ),
        ({"ex_disks_bus": "usb"}, "the argument ex_disks_bus: found 'usb'"),
        ({"auth": NodeAuthSSHKey("-----BEGIN OPENSSH PRIVATE KEY-----")}, "found a private key"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    driver: StratusLabNodeDriver, sandbox: Sandbox, arguments: dict[str, Any], message: str
) -> None:
    image = driver.list_images()[0]
    sandbox.request_log.clear()
    given = {"name": "web", "size": driver.list_sizes()[0], "image": image, **arguments}

    with pytest.raises(InvalidArgumentError, match=message):
        driver.create_node(**given)
    assert len(sandbox.request_log) == 0


def test_a_bad_name_with_a_bare_image_is_refused_before_the_marketplace_is_asked(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument name"):
        driver.create_node("a&b", driver.list_sizes()[0], NodeImage("A" * 27, NOTHING, driver))
    assert len(sandbox.request_log) == 0


@pytest.mark.parametrize("auth", [NodeAuthPassword("x"), "ssh-rsa AAAA"], ids=["password", "text"])
def test_other_authentication_is_refused(
    driver: StratusLabNodeDriver, sandbox: Sandbox, auth: object
) -> None:
    with pytest.raises(LibcloudError, match=r"the argument auth: found a \w+; give NodeAuthSSHKey"):
        start(driver, auth=auth)
    assert "one.vm.allocate" not in sandbox.request_log.operations()


def test_unicode_quotes_and_newlines_survive(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    name = 'née "π" [a=b], #1\n☃ \\" end'
    node = start(driver, name=name)

    assert node.name == name
    assert driver.list_nodes()[0].name == name


@pytest.mark.parametrize("name", [None, ""])
def test_without_a_name_the_cloud_gives_one(
    sandbox: Sandbox, driver: StratusLabNodeDriver, name: str | None
) -> None:
    assert start(driver, name=name).name == "one-0"


def test_every_option_has_its_place(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    image = image_with(driver, disks_bus="virtio")
    disk_image = driver.list_images(ex_kind="disk")[0]
    volumes = [driver.create_volume(1, "a"), driver.create_volume(1, "b")]
    node = start(
        driver,
        image=image,
        auth=NodeAuthSSHKey(KEY),
        ex_context={"motto": 'per "aspera"'},
        ex_network="local",
        ex_requirements='CLUSTER = "test"',
        ex_volumes=[volumes[0], volumes[1].id],
        ex_volatile_disk=2,
        ex_readonly_images=[disk_image],
        ex_cpu_share=0.5,
        ex_vnc=Vnc(5901, "127.0.0.1"),
        ex_kernel="/boot/k",
        ex_initrd="/boot/i",
        ex_raw_data='<devices><serial type="pty"/></devices>',
        ex_save_as=ImageDescription("jane@example.org", title="Mine"),
        ex_keyname="means nothing",
        ex_config_drive=True,
    )
    found = sent(sandbox, node)

    assert (found["CPU"], found["VCPU"]) == (["0.5"], ["1"])
    assert found["REQUIREMENTS"] == ['CLUSTER = "test"']
    assert [disk["TARGET"] for disk in found["DISK"]] == ["vda", "vdb", "vdc", "vdd", "vde", "vdf"]
    assert found["DISK"][0]["SAVE"] == "yes"
    assert (found["DISK"][2]["TYPE"], found["DISK"][2]["SIZE"]) == ("fs", "2048")
    base = sandbox.endpoints["here"]["pdisk_endpoint"]
    assert [disk["SOURCE"] for disk in found["DISK"][3:5]] == [f"pdisk:{base}/{it.id}" for it in volumes]
    assert found["DISK"][5]["SOURCE"] == disk_image.extra["url"]
    assert found["NIC"][0]["NETWORK"] == "local"
    assert (node.public_ips, len(node.private_ips)) == ([], 1)
    assert found["GRAPHICS"] == [{"LISTEN": "127.0.0.1", "PORT": "5901", "TYPE": "vnc"}]
    assert found["OS"] == [{"KERNEL": "/boot/k", "INITRD": "/boot/i"}]
    assert found["RAW"] == [{"TYPE": "kvm", "DATA": '<devices><serial type="pty"/></devices>'}]
    assert found["CREATE_IMAGE"] == [{"CREATOR_EMAIL": "jane@example.org", "NEWIMAGE_TITLE": "Mine"}]
    assert found["CONTEXT"][0]["MOTTO"] == 'per "aspera"'
    sandbox.clock.step(10)
    assert node.state == NodeState.RUNNING


def test_on_ide_three_extra_disks_have_targets_of_their_own(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volumes = [driver.create_volume(1, tag) for tag in "ab"]
    node = start(driver, image=image_with(driver, disks_bus="ide"), ex_volumes=volumes, ex_volatile_disk=1)

    targets = [disk["TARGET"] for disk in sent(sandbox, node)["DISK"]]
    assert targets == ["hda", "hdb", "hdc", "vdd", "vde"]


def test_a_specific_address(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    address = start(driver).public_ips[0]
    driver.destroy_node(driver.list_nodes()[0])
    sandbox.clock.step(10)
    driver.list_nodes()

    assert start(driver, ex_ip_address=address).public_ips == [address]


def test_the_network_may_be_one_of_the_list(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    networks = {network.name: network for network in driver.ex_list_networks()}
    assert list(networks) == ["public", "local", "private"]

    node = start(driver, networks=[networks["private"]])

    assert sent(sandbox, node)["NIC"][0]["NETWORK"] == "private"
    for wrong in ([], list(networks.values()), ["private"], 7, networks["private"], {"private": 1}):
        with pytest.raises(InvalidArgumentError, match="the argument networks"):
            start(driver, networks=wrong)


def test_none_of_the_disks_may_be_said_by_none(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = start(driver, ex_volumes=None, ex_readonly_images=None, ex_volatile_disk=None)

    assert [disk["type"] for disk in node.extra["disks"]] == [None, "swap"]


def test_no_vnc(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    assert "GRAPHICS" not in sent(sandbox, start(driver, ex_vnc=None))


@pytest.mark.parametrize("data", ["#!/bin/sh\necho é\r\n", b"\x00\xff binary"], ids=["text", "bytes"])
def test_user_data_ask_for_cloud_init(
    sandbox: Sandbox, driver: StratusLabNodeDriver, data: str | bytes
) -> None:
    node = start(driver, auth=NodeAuthSSHKey(KEY), ex_userdata=data)
    context = sent(sandbox, node)["CONTEXT"][0]

    assert context["CONTEXT_METHOD"] == "cloud-init"
    assert base64.b64decode(context["CLOUD_INIT_AUTHORIZED_KEYS"]).decode() == f"{KEY}\n"
    expected = data.replace("\r\n", "\n").encode() if isinstance(data, str) else data
    assert gzip.decompress(base64.b64decode(context["CLOUD_INIT_USER_DATA"])) == expected
    assert context["PUBLIC_KEY"] == f"{KEY}\n"


def test_cloud_init_by_configuration_works_together_with_keys(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "user.cfg"
    file.write_text(
        sandbox.config_file.read_text().replace("[default]", "[default]\ndefault_context_method = cloud-init")
    )
    driver = StratusLabNodeDriver("default", stratuslab_user_config=file)
    node = start(driver, auth=NodeAuthSSHKey(KEY))

    context = sent(sandbox, node)["CONTEXT"][0]
    assert context["CONTEXT_METHOD"] == "cloud-init"
    assert base64.b64decode(context["CLOUD_INIT_AUTHORIZED_KEYS"]).decode() == f"{KEY}\n"


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_any_type_of_key_and_no_file_for_it(
    sandbox: Sandbox, driver: StratusLabNodeDriver, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    node = start(driver, auth=NodeAuthSSHKey(f"{kind} AAAA me@here"))

    assert sent(sandbox, node)["CONTEXT"][0]["PUBLIC_KEY"] == f"{kind} AAAA me@here\n"
    assert list(tmp_path.iterdir()) == []


def test_without_auth_the_first_usual_key_is_taken(
    sandbox: Sandbox, driver: StratusLabNodeDriver, home: Path
) -> None:
    assert "PUBLIC_KEY" not in sent(sandbox, start(driver))["CONTEXT"][0]
    (home / ".ssh").mkdir()
    for name in ("id_rsa", "id_ecdsa", "id_ed25519"):
        (home / ".ssh" / f"{name}.pub").write_text(f"{name} AAAA me\n")

        node = start(driver)

        assert sent(sandbox, node)["CONTEXT"][0]["PUBLIC_KEY"] == f"{name} AAAA me\n"


@pytest.mark.parametrize("path", [None, f"/{'x' * 5000}"], ids=["none", "one that cannot be looked into"])
def test_without_a_home_folder_there_is_no_usual_key(
    driver: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    if path is None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", nobody)
    else:
        monkeypatch.setenv("HOME", path)

    assert start(driver).id == "0"


def test_the_configured_key_is_taken_and_must_be_there(sandbox: Sandbox, tmp_path: Path) -> None:
    key = tmp_path / "my key.pub"
    text = sandbox.config_file.read_text().replace("[here]", f"[here]\nuser_public_key_file = {key}")
    file = tmp_path / "user.cfg"
    file.write_text(text)
    driver = StratusLabNodeDriver("default", stratuslab_user_config=file)

    with pytest.raises(ConfigurationError, match=r"section \[here\], key user_public_key_file: .*my key.pub"):
        start(driver)
    key.write_text(KEY)
    assert sent(sandbox, start(driver))["CONTEXT"][0]["PUBLIC_KEY"] == f"{KEY}\n"
    key.unlink()
    assert driver.destroy_node(driver.list_nodes()[0])


def test_a_node_comes_back_even_if_its_details_do_not(
    sandbox: Sandbox,
    driver: StratusLabNodeDriver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    oned = sandbox.location("here").oned
    calls = oned.call

    def refuse_info(method: str, arguments: Any, user: str | None) -> Any:
        if method == "one.vm.info":
            raise RuntimeError("the front end is restarted")
        return calls(method, arguments, user)

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "stratuslab"):
        patch.setattr(oned, "call", refuse_info)
        node = driver.create_node("web", size, image)

    assert (node.id, node.name, node._state, node.public_ips) == ("0", "web", NodeState.PENDING, [])
    assert "VM 0 was started" in caplog.text
    assert node.state == NodeState.PENDING
    assert len(node.public_ips) == 1
    assert [found.id for found in driver.list_nodes()] == ["0"]


def test_every_location_has_its_own_nodes(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    here, there = driver.list_locations()
    image = driver.list_images(there)[0]
    node = driver.create_node("web", driver.list_sizes()[0], image, there)

    assert node.location is there
    assert (driver.list_nodes(ex_location=here), len(driver.list_nodes(ex_location=there))) == ([], 1)
    assert driver.ex_get_node_details(node.id) is None
    assert driver.ex_get_node_details(node.id, there).uuid == node.uuid


def test_a_location_of_another_driver_is_known_by_its_id(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    node = start(driver, location=NodeLocation("here", "x", "y", NOTHING))

    assert node.location is driver.default_location
