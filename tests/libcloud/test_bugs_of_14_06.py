"""One test for each known bug of release 14.06, by its number in docs/bugs_of_14_06.md."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.common.types import InvalidCredsError, LibcloudError
from libcloud.compute.base import NodeAuthSSHKey, NodeDriver, NodeImage, NodeSize, VolumeSnapshot
from libcloud.compute.types import NodeState, StorageVolumeState

from stratuslab.client.errors import AnswerLostError, ConflictError, InvalidArgumentError, LocationsError
from stratuslab.libcloud.ssh_keys import private_key_file_for
from stratuslab.libcloud.stratuslab_driver import StratusLabNode, StratusLabNodeDriver
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer

IMAGE = "BN1EEkPiBx87_uLj2-sdybSI-Xb"
DISK = "95b75092-17d2-459f-9fa0-cd1deaa721f1"


def start(driver: StratusLabNodeDriver, **arguments: Any) -> StratusLabNode:
    given = {"name": "web", "size": driver.list_sizes()[1], "image": driver.list_images()[0], **arguments}
    return driver.create_node(**given)


def running(driver: StratusLabNodeDriver, sandbox: Sandbox, **arguments: Any) -> StratusLabNode:
    node = start(driver, **arguments)
    sandbox.clock.step(60)
    assert node.state == NodeState.RUNNING
    return node


def insert(sandbox: Sandbox, template: str, *, state: int = 3, lcm_state: int = 3, vm_id: int = 42) -> None:
    sandbox.location("here").oned.insert(
        f"<VM><ID>{vm_id}</ID><UID>0</UID><GID>1</GID><UNAME>demo</UNAME><GNAME>users</GNAME><NAME>odd</NAME>"
        f"<STATE>{state}</STATE><LCM_STATE>{lcm_state}</LCM_STATE><STIME>1400000000</STIME><ETIME>0</ETIME>"
        f"<TEMPLATE>{template}</TEMPLATE><HISTORY_RECORDS/></VM>"
    )


def disk(disk_id: int, source: str = "", kind: str = "", size: str = "") -> str:
    values = f"<SOURCE>{source}</SOURCE><TYPE>{kind}</TYPE><SIZE>{size}</SIZE>"
    return f"<DISK><DISK_ID>{disk_id}</DISK_ID>{values}</DISK>"


def nic(ip: str, network: str = "public") -> str:
    return f"<NIC><IP>{ip}</IP><NETWORK>{network}</NETWORK></NIC>"


def at(url: str, timeout: float = 30) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("demo", "demo-pass", host=url, timeout=timeout)


def test_01_the_title_of_an_image_is_used(driver: StratusLabNodeDriver) -> None:
    titled = [image for image in driver.list_images() if image.extra["title"]]

    assert titled
    assert [image.name for image in titled] == [" ".join(image.extra["title"].split()) for image in titled]


def test_02_image_names_are_whole_and_never_empty(driver: StratusLabNodeDriver) -> None:
    names = [image.name for image in driver.list_images()]

    assert all(names)
    assert max(len(name) for name in names) > 30
    assert all(name == name.strip() for name in names)
    assert driver.list_images()[0].extra["checksums"]["SHA-1"]


def test_03_errors_are_raised_not_printed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    driver = at(serve(answer(b"<metadata><broken", media_type="application/xml")).url)

    with pytest.raises(LibcloudError):
        driver.list_images()
    assert capfd.readouterr() == ("", "")


def test_04_a_marketplace_without_scheme_is_understood_and_leaves_no_file(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sandbox.config_file.read_text()
    host_only = io.StringIO(text.replace("marketplace_endpoint = http://", "marketplace_endpoint = "))
    where = StratusLabNodeDriver("default", stratuslab_user_config=host_only)._at(None).cloud.marketplace
    assert where.url.startswith("https://127.0.0.1:")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file).list_images()
    assert list(tmp_path.iterdir()) == []


def test_05_an_image_comes_once_and_disks_only_on_request(driver: StratusLabNodeDriver) -> None:
    identifiers = [image.id for image in driver.list_images()]
    disks = {image.id for image in driver.list_images(ex_kind="disk")}

    assert len(identifiers) == len(set(identifiers))
    assert disks
    assert not disks & set(identifiers)


def test_06_repeated_elements_do_not_overwrite_each_other(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    insert(
        sandbox, nic("192.0.2.1") + nic("192.0.2.2") + disk(0, "a/metadata/b") + disk(1, "c") + disk(2, "d")
    )
    [node] = driver.list_nodes()

    assert node.public_ips == ["192.0.2.1", "192.0.2.2"]
    assert [it["source"] for it in node.extra["disks"]] == ["a/metadata/b", "c", "d"]


def test_07_the_image_is_that_of_the_root_disk(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    insert(
        sandbox,
        disk(0, f"https://m/metadata/{IMAGE}/a@b.c/2014-01-01T00:00:00Z") + disk(2, f"pdisk:h:1/{DISK}"),
    )

    assert driver.list_nodes()[0].image.id == IMAGE


def test_08_swap_is_the_swap_disk_or_nothing(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    insert(sandbox, disk(1, kind="swap", size="256") + disk(2, kind="fs", size="10240"), vm_id=1)
    insert(sandbox, "", vm_id=2)

    assert [node.size.swap for node in driver.list_nodes()] == [256, 0]


def test_09_sizes_of_listed_nodes_are_numbers(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    insert(sandbox, "<CPU>0.5</CPU><VCPU>2</VCPU><MEMORY>512</MEMORY>")
    size = driver.list_nodes()[0].size

    assert (size.cpu, size.ram, size.disk, size.swap) == (2, 512, 0, 0)
    assert {type(value) for value in (size.cpu, size.ram, size.disk, size.swap)} == {int}


def test_10_addresses_are_public_or_private_by_their_network(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    insert(sandbox, nic("192.0.2.1") + nic("192.0.2.2", "local"))
    [node] = driver.list_nodes()

    assert (node.public_ips, node.private_ips) == (["192.0.2.1"], ["192.0.2.2"])


def test_11_a_node_without_nic_or_address_hides_no_other(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    insert(sandbox, "", vm_id=1)
    insert(sandbox, "<NIC><NETWORK>public</NETWORK></NIC>", vm_id=2)
    insert(sandbox, nic("192.0.2.1"), vm_id=3)

    assert [node.public_ips for node in driver.list_nodes()] == [[], [], ["192.0.2.1"]]


def test_12_no_address_is_looked_up_by_name(
    sandbox: Sandbox, driver: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(sandbox, nic("192.0.2.1"))
    driver.list_nodes()
    asked: list[Any] = []
    for function in ("gethostbyaddr", "getfqdn", "getnameinfo", "gethostbyname"):
        monkeypatch.setattr(socket, function, lambda *arguments: asked.append(arguments))

    assert driver.list_nodes()[0].state
    assert asked == []


def test_13_states_are_told_apart(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    states = {
        (3, 11): NodeState.STOPPING,
        (7, 0): NodeState.ERROR,
        (3, 12): NodeState.STOPPING,
        (4, 0): NodeState.STOPPED,
        (5, 0): NodeState.SUSPENDED,
        (2, 0): NodeState.PENDING,
        (3, 4): NodeState.MIGRATING,
        (3, 14): NodeState.ERROR,
    }
    for vm_id, (state, lcm_state) in enumerate(states):
        insert(sandbox, "", state=state, lcm_state=lcm_state, vm_id=vm_id)

    assert [node.state for node in driver.list_nodes()] == list(states.values())


def test_14_printing_and_reading_a_fresh_node_sends_nothing(sandbox: Sandbox) -> None:
    driver = at(f"{sandbox.url}/here")
    insert(sandbox, "")
    [node] = driver.list_nodes()
    sandbox.request_log.clear()

    assert node.state == NodeState.RUNNING
    node.expire()
    assert "state=RUNNING" in repr(node)
    assert len(sandbox.request_log) == 0


def test_15_volumes_of_1000_gib_are_listed(driver: StratusLabNodeDriver) -> None:
    driver.create_volume(1000, "big")

    assert [volume.size for volume in driver.list_volumes()] == [1000]


def test_16_root_disks_of_nodes_are_told_apart(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    running(driver, sandbox)

    [volume] = driver.list_volumes()
    assert volume.extra["snapshot_of"]
    assert "root disks of the user's running nodes" in (driver.list_volumes.__doc__ or "")


def test_17_volumes_tell_type_visibility_count_owner_and_attachment(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volume = driver.create_volume(1, "data")
    driver.attach_volume(running(driver, sandbox), volume)
    found = driver.ex_get_volume(volume.id)

    wanted = ("DATA_IMAGE_RAW_READ_WRITE", "private", 1, "demo")
    assert tuple(found.extra[key] for key in ("type", "visibility", "count", "owner")) == wanted
    assert found.state == StorageVolumeState.INUSE


def test_18_a_volume_from_the_list_can_be_detached(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "data")
    assert volume.extra["location"] == "here"
    driver.attach_volume(running(driver, sandbox), volume)

    assert next(it for it in driver.list_volumes() if it.id == volume.id).detach()


def test_19_no_volume_is_attached_to_a_node_without_host(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    volume = driver.create_volume(1, "data")

    with pytest.raises(ConflictError, match="only be attached to a running node"):
        driver.attach_volume(start(driver), volume)
    assert driver.ex_get_volume(volume.id).extra["count"] == 0


def test_20_arguments_of_create_volume_are_checked(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    right: dict[str, Any] = {"size": 1, "name": "x"}
    wrong: list[dict[str, Any]] = [{"size": 0}, {"size": 2000}, {"snapshot": VolumeSnapshot("x", driver)}]
    for arguments in wrong:
        with pytest.raises(InvalidArgumentError):
            driver.create_volume(**{**right, **arguments})
    assert driver.create_volume(1, "x", ex_visibility="public").extra["visibility"] == "public"


def test_21_names_keys_and_context_cannot_add_attributes(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    evil = 'evil"\nREQUIREMENTS = "FALSE"\nX = "y'
    node = start(driver, name=evil, auth=NodeAuthSSHKey(f"ssh-rsa {evil}"), ex_context={"a": evil})
    document = sandbox.location("here").oned.document(int(node.id))

    assert node.name == evil
    assert "<REQUIREMENTS>" not in document
    assert "<X>" not in document


def test_22_a_key_needs_no_file(
    sandbox: Sandbox, driver: StratusLabNodeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    images, sizes = driver.list_images(), driver.list_sizes()
    counts = []
    for _ in range(3):
        driver.create_node("web", sizes[0], images[0], auth=NodeAuthSSHKey("ssh-rsa AAAA"))
        counts.append(len(os.listdir("/proc/self/fd")) - before if before else 0)  # noqa: PTH208

    assert list(tmp_path.iterdir()) == []
    assert len(set(counts)) == 1


def test_23_no_key_file_is_needed(sandbox: Sandbox, driver: StratusLabNodeDriver, home: Path) -> None:
    assert not (home / ".ssh").exists()

    assert start(driver).destroy()


def test_24_the_private_key_is_beside_the_public_one(tmp_path: Path) -> None:
    for name in ("mybb", "bupubup"):
        (tmp_path / f"{name}.pub").write_text("ssh-rsa AAAA")
        (tmp_path / name).write_text("private")
        text = f"""[default]
username = a
password = b
endpoint = h
user_public_key_file = {tmp_path}/{name}.pub
"""
        cloud = StratusLabNodeDriver("x", stratuslab_user_config=io.StringIO(text))._at(None).cloud

        assert private_key_file_for(cloud, None) == str(tmp_path / name)


def test_25_keys_of_any_type_are_taken(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    for kind in ("ssh-rsa", "ecdsa-sha2-nistp521", "ssh-ed25519"):
        node = start(driver, auth=NodeAuthSSHKey(f"{kind} AAAA me"))

        assert f"{kind} AAAA me" in sandbox.location("here").oned.document(int(node.id))


def test_26_destroying_asks_no_marketplace(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = start(driver)
    sandbox.location("here").catalogue.remove(node.image.id)
    sandbox.request_log.clear()

    assert node.destroy()
    assert sandbox.request_log.operations() == ["one.vm.action"]


def test_27_an_unknown_image_is_an_exception_not_an_exit(driver: StratusLabNodeDriver) -> None:
    with pytest.raises(LibcloudError):
        start(driver, image=NodeImage("A" * 27, NOTHING, driver))


def test_28_the_disk_of_a_standard_size_is_not_its_swap(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    for size in (
        NodeSize("x", "x", 512, 20, None, 0.0, driver),
        NodeSize("x", "x", 512, NOTHING, NOTHING, 0.0, driver),
    ):
        assert "swap" not in sandbox.location("here").oned.document(int(start(driver, size=size).id))


def test_29_ports_of_images_do_not_pile_up(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    images = driver.list_images()
    documents = [sandbox.location("here").oned.document(int(start(driver, image=it).id)) for it in images * 2]

    for image, document in zip(images * 2, documents, strict=True):
        ports = ",".join(image.extra["inbound_ports"])
        assert (f"<INBOUND_PORTS><![CDATA[{ports}]]></INBOUND_PORTS>" in document) == bool(ports)


def test_30_a_node_that_was_started_comes_back(
    sandbox: Sandbox, driver: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    monkeypatch.setattr(driver._at(None).rpc, "call_for_text", _cut)

    assert driver.create_node("web", size, image).id == "0"


def _cut(*_: Any) -> str:
    raise AnswerLostError("cut")


@pytest.mark.parametrize("switch", ["", "1"], ids=["our own repetitions", "Libcloud's"])
def test_31_a_lost_answer_makes_no_second_node(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
    switch: str,
) -> None:
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", switch)
    server = serve(lambda connection: None)
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=0.3, retry_delay=0.05)

    with pytest.raises(AnswerLostError):
        driver.create_node("web", driver.list_sizes()[0], NodeImage("http://m/metadata/x", NOTHING, driver))
    assert sum(b"one.vm.allocate" in request for request in server.received) == 1


def test_32_one_dead_cloud_hides_no_other(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = f"{sandbox.config_file.read_text()}\n[dead]\nendpoint = http://127.0.0.1:{port}/one-proxy/xmlrpc\n"
    driver = StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(text))
    insert(sandbox, "")

    with pytest.raises(LocationsError) as failure:
        driver.list_nodes()
    assert list(failure.value.errors) == ["dead"]
    assert [node.id for node in failure.value.nodes] == ["42"]
    assert [node.id for node in driver.list_nodes(ex_on_error="skip")] == ["42"]


def test_33_the_features_of_other_drivers_stay_theirs(driver: StratusLabNodeDriver) -> None:
    assert NodeDriver.features == {"create_node": []}


def test_34_the_driver_has_no_random_uuid(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    insert(sandbox, "")

    assert not hasattr(driver, "get_uuid")
    assert driver.list_nodes()[0].uuid == driver.list_nodes()[0].uuid


def test_35_unicode_names_can_be_printed(driver: StratusLabNodeDriver) -> None:
    node = start(driver, name="café ☃")

    assert "café ☃" in repr(node)
    assert "☁" in repr(driver.list_images())


def test_36_a_wrong_password_is_invalid_credentials_and_not_shown(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("demo", "my-secret", host=f"{sandbox.url}/here")

    for call in (driver.list_nodes, driver.list_volumes, lambda: driver.create_volume(1, "x")):
        with pytest.raises(InvalidCredsError) as refusal:
            call()
        assert "my-secret" not in str(refusal.value) + repr(refusal.value)


def test_37_key_secret_host_and_port_are_used(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    driver = StratusLabNodeDriver("demo", "demo-pass", secure=False, host="127.0.0.1", port=port)
    where = driver.connection.endpoint

    assert (where.secure, where.host, where.port) == (False, "127.0.0.1", port)
    assert StratusLabNodeDriver("u", "p", host="h").connection.endpoint.secure


def test_38_reboot_is_offered(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    assert running(driver, sandbox).reboot() is True


def test_39_a_destroyed_node_is_terminated_not_unknown(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = running(driver, sandbox)
    node.destroy()
    sandbox.clock.step(60)

    assert node.state == NodeState.TERMINATED
    assert driver.list_nodes() == []


def test_there_is_a_test_for_every_row() -> None:
    numbers = sorted(int(name[5:7]) for name in globals() if name.startswith("test_") and name[5:7].isdigit())

    assert numbers == list(range(1, 40))


def test_importing_the_driver_prints_nothing() -> None:
    command = [sys.executable, "-W", "error", "-c", "import stratuslab.libcloud.stratuslab_driver"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("", "")
