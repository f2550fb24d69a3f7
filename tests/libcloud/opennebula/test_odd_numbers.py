"""Numbers that nothing has: they are left out of lists, and from a caller they are not sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeImage, StorageVolume, VolumeSnapshot

from stratuslab.client.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.sandbox import Sandbox

NO_IDS = ["-5", "1_0", "\u0667", "../../x", "+7", " 7", "7 ", "0x7", "1e3", "", str(2**31), str(2**63)]
LISTS: dict[str, tuple[str, str, Callable[[Any], list[Any]]]] = {
    "images": ("one.imagepool.info", "IMAGE", lambda driver: driver.list_images(ex_status="all")),
    "volumes": ("one.imagepool.info", "IMAGE", lambda driver: driver.list_volumes()),
    "templates": (
        "one.templatepool.info",
        "VMTEMPLATE",
        lambda driver: driver.list_images(ex_kind="template"),
    ),
    "sizes": ("one.templatepool.info", "VMTEMPLATE", lambda driver: driver.list_sizes()),
    "networks": ("one.vnpool.info", "VNET", lambda driver: driver.ex_list_networks()),
    "nodes": ("one.vmpool.info", "VM", lambda driver: driver.list_nodes()),
    "datastores": ("one.datastorepool.info", "DATASTORE", lambda driver: [driver.create_volume(1, "new")]),
}
BEYOND = "9999999999"


@pytest.fixture
def kind() -> str:
    return "opennebula-6.10"


@pytest.mark.parametrize("what", LISTS)
def test_what_is_no_id_is_left_out_of_each_list(
    driver: OpenNebulaNodeDriver,
    caplog: pytest.LogCaptureFixture,
    answer_otherwise: Callable[[str, Callable[[list[Any]], list[Any]]], None],
    what: str,
) -> None:
    driver.create_volume(1, "data")
    driver.create_node("web", "m1.small", driver.list_images()[0])
    method, tag, call = LISTS[what]
    expected = [item.id for item in call(driver)] if what != "datastores" else []
    of_all = "<NAME>odd</NAME><PERSISTENT>1</PERSISTENT><FREE_MB>99999999</FREE_MB>"
    kind = "<TYPE>2</TYPE><STATE>1</STATE>" if what == "volumes" else "<TYPE>0</TYPE><STATE>0</STATE>"
    odd = "".join(f"<{tag}><ID>{number}</ID>{of_all}{kind}</{tag}>" for number in NO_IDS)
    answer_otherwise(
        method, lambda found: [found[0], found[1].replace(f"</{tag}_POOL>", f"{odd}</{tag}_POOL>"), found[2]]
    )

    with caplog.at_level(logging.WARNING):
        listed = call(driver)
    assert what == "datastores" or [item.id for item in listed] == expected
    assert caplog.text.count(f"{method}: left out") == len(NO_IDS)


CALLS: dict[str, Callable[[Any], object]] = {
    "get_image": lambda driver: driver.get_image(BEYOND),
    "get_image, template": lambda driver: driver.get_image(f"template:{BEYOND}"),
    "delete_image": lambda driver: driver.delete_image(NodeImage(BEYOND, "x", driver)),
    "copy_image": lambda driver: driver.copy_image("here", NodeImage(BEYOND, "x", driver), "new"),
    "ex_get_volume": lambda driver: driver.ex_get_volume(BEYOND),
    "destroy_volume": lambda driver: driver.destroy_volume(_volume(driver, BEYOND)),
    "detach_volume": lambda driver: driver.detach_volume(_volume(driver, BEYOND)),
    "list_volume_snapshots": lambda driver: driver.list_volume_snapshots(_volume(driver, BEYOND)),
    "create_volume_snapshot": lambda driver: driver.create_volume_snapshot(_volume(driver, BEYOND)),
    "destroy_volume_snapshot": lambda driver: driver.destroy_volume_snapshot(
        VolumeSnapshot("1", driver, extra={"volume_id": BEYOND, "location": "here"})
    ),
    "create_volume": lambda driver: driver.create_volume(1, "new", ex_datastore=BEYOND + "9"),
    "create_node": lambda driver: driver.create_node("x", "m1.small", f"template:{BEYOND}"),
}


def _volume(driver: Any, number: str) -> StorageVolume:
    return StorageVolume(number, "x", 1, driver, extra={"location": "here"})


@pytest.mark.parametrize("name", CALLS)
def test_a_number_beyond_opennebulas_is_not_there(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, name: str
) -> None:
    volumes = [volume.id for volume in driver.list_volumes()]
    with pytest.raises(NotFoundError, match=BEYOND):
        CALLS[name](driver)
    assert [volume.id for volume in driver.list_volumes()] == volumes
