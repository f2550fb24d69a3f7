from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client import InstanceType, Marketplace, Monitor, PersistentDisk, Runner
from stratuslab.client.errors import ConfigurationError, InvalidArgumentError, NotFoundError
from stratuslab.client.marketplace.image_metadata import is_image_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client import Cloud
    from tests.client.conftest import CloudOf


IMAGE_ID = "BEE8-MMAw-Lk_IgsEExAy3d9R8h"
UNKNOWN: Any = "old"
"""No status of images and no visibility of volumes."""
UUID = "29eca93d-3832-4721-bfe4-3d15a6efa2df"


@pytest.fixture
def cloud(cloud_of: CloudOf) -> Cloud:
    return cloud_of(
        endpoint="https://127.0.0.1:1/one-proxy/xmlrpc", marketplace_endpoint="https://127.0.0.1:1/m"
    )


@pytest.fixture
def disks(cloud: Cloud) -> PersistentDisk:
    return PersistentDisk(cloud)


@pytest.mark.parametrize("text", [IMAGE_ID, "A" * 27, "-" * 27, "_" * 27, "0" * 27])
def test_an_image_s_id_has_27_characters(text: str) -> None:
    assert is_image_id(text)


@pytest.mark.parametrize(
    "text", ["", "A" * 26, "A" * 28, f"{'A' * 26}/", f"{'A' * 27}\n", "é" * 27], ids=repr
)
def test_nothing_else_is_an_image_s_id(text: str) -> None:
    assert not is_image_id(text)


def test_an_image_s_url(cloud: Cloud) -> None:
    assert Marketplace(cloud).url_of(IMAGE_ID) == f"https://127.0.0.1:1/m/metadata/{IMAGE_ID}"
    assert Marketplace(cloud).url_of("a/b?c") == "https://127.0.0.1:1/m/metadata/a%2Fb%3Fc"


@pytest.mark.parametrize("identifier", ["", "../query", f"{IMAGE_ID}?status=all", None, 5], ids=repr)
def test_an_image_by_what_is_no_id_is_refused(cloud: Cloud, identifier: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument identifier: found the id ") as caught:
        Marketplace(cloud).image(identifier)
    assert repr(identifier) in str(caught.value)


def test_images_of_an_unknown_status_are_refused(cloud: Cloud) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Marketplace(cloud).list_images(UNKNOWN)
    assert str(caught.value) == "the argument status: found 'old'; use one of valid, expired, deprecated, all"


@pytest.mark.parametrize("size", [0, -1, 1025, 10**9])
def test_a_size_out_of_range_is_refused(disks: PersistentDisk, size: int) -> None:
    with pytest.raises(
        InvalidArgumentError, match=f"the argument size_gib: found {size} GiB; give 1 to 1024"
    ):
        disks.create_volume(size, "tag")


@pytest.mark.parametrize("size", ["5", 5.0, True, None], ids=repr)
def test_a_size_that_is_no_whole_number_is_refused(disks: PersistentDisk, size: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        disks.create_volume(size, "tag")
    assert str(caught.value) == f"the argument size_gib: found {size!r}; give a whole number of GiB"


def test_an_unknown_visibility_is_refused(disks: PersistentDisk) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument visibility: found 'old'; use private"):
        disks.create_volume(1, "tag", UNKNOWN)


@pytest.mark.parametrize("tag", ["a\nb", "\0", None, 5], ids=repr)
def test_a_tag_that_is_no_line_is_refused(disks: PersistentDisk, tag: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        disks.create_volume(1, tag)
    assert str(caught.value) == f"the argument tag: found {tag!r}; give text without control characters"


def test_a_tag_beyond_pdisk_s_column_is_refused(disks: PersistentDisk) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument tag: has 256 characters; PDisk keeps 255"):
        disks.create_volume(1, "é" * 256)


@pytest.fixture(params=["describe", "kill", "shutdown", "reboot"])
def call_on_vm(cloud: Cloud, request: pytest.FixtureRequest) -> Callable[[Any], object]:
    calls: dict[str, Callable[[Any], object]] = {
        "describe": Monitor(cloud).describe_vm,
        "kill": Runner(cloud).kill_instance,
        "shutdown": Runner(cloud).shutdown_instance,
        "reboot": lambda vm_id: Runner(cloud).act(vm_id, "reboot"),
    }
    return calls[request.param]


@pytest.mark.parametrize("vm_id", ["5", -1, None, True, 1.0], ids=repr)
def test_a_vm_by_what_is_no_id_is_refused(
    call_on_vm: Callable[[Any], object], vm_id: bool | float | str | None
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call_on_vm(vm_id)
    assert str(caught.value) == f"the argument vm_id: found {vm_id!r}; give a whole number from 0"


def test_a_vm_beyond_opennebula_s_numbers_is_not_found(call_on_vm: Callable[[Any], object]) -> None:
    with pytest.raises(NotFoundError, match="there is no VM 2147483648: OpenNebula's ids go from 0 to"):
        call_on_vm(2**31)


@pytest.mark.parametrize("token", ["", None, 7], ids=repr)
def test_what_is_no_token_finds_no_vm(cloud: Cloud, token: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"the argument token: found .*; give the text"):
        Monitor(cloud).find_vm(token)


@pytest.mark.parametrize(
    "call",
    [
        lambda disks, uuid: disks.describe_volume(uuid),
        lambda disks, uuid: disks.delete_volume(uuid),
        lambda disks, uuid: disks.mounts(uuid),
        lambda disks, uuid: disks.hot_attach(uuid, "host", 1),
        lambda disks, uuid: disks.hot_detach(uuid, 1),
    ],
    ids=["describe", "delete", "mounts", "attach", "detach"],
)
@pytest.mark.parametrize("uuid", ["", "../instances", f"{UUID}/mounts", None], ids=repr)
def test_a_volume_by_what_is_no_uuid_is_refused(
    disks: PersistentDisk, call: Callable[[PersistentDisk, str | None], object], uuid: str | None
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call(disks, uuid)
    assert str(caught.value) == f"the argument volume: found the id {uuid!r}; give a disk's UUID"


@pytest.mark.parametrize("host", [None, "", 7], ids=repr)
def test_an_attachment_to_no_host_is_refused(disks: PersistentDisk, host: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        disks.hot_attach(UUID, host, 1)
    assert str(caught.value) == f"the argument host: found {host!r}; give the name of the host of the VM"


def test_an_attachment_to_no_vm_is_refused(disks: PersistentDisk) -> None:
    no_vm: Any = None
    for change in (
        lambda: disks.hot_attach(UUID, "host", no_vm),
        lambda: disks.hot_detach(UUID, no_vm),
    ):
        with pytest.raises(InvalidArgumentError, match="the argument vm_id: found None"):
            change()


def test_volumes_of_a_cloud_without_pdisk_are_refused(cloud_of: CloudOf) -> None:
    with pytest.raises(ConfigurationError, match="key pdisk_endpoint: is missing"):
        PersistentDisk(cloud_of(endpoint="localhost"))


def test_a_runner_knows_the_sizes(cloud_of: CloudOf) -> None:
    runner = Runner(cloud_of(default_instance_type="c1.medium"))
    assert runner.default_instance_type == InstanceType("c1.medium", 2, 1536, 1536)
    assert runner.instance_types["t1.micro"] == InstanceType("t1.micro", 1, 512, 512)
