from __future__ import annotations

import xml.etree.ElementTree as ET
import xmlrpc.client
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


USER, PASSWORD = "carol@example.org", "p%ss: wörd"
TEMPLATE = """CPU = 1
MEMORY = 512
NAME = "storage test"
DISK = [ source = "{root}", target = "hda", readonly = "no" ]
DISK = [ type = swap, size = 512, target = "hdb", readonly = "no" ]
{more}
NIC = [ network_uname=oneadmin, network = "public" ]
"""


class Cloud:
    """A user of one location over HTTP, with one connection per service."""

    def __init__(self, endpoints: Mapping[str, str], http: requests.Session, proxy: Any) -> None:
        self.marketplace = endpoints["marketplace_endpoint"]
        self.pdisk = endpoints["pdisk_endpoint"] + "/pswd"
        self.http = http
        self.one: Any = proxy.one

    def disks(self) -> list[dict[str, str]]:
        return [*self.http.get(f"{self.pdisk}/disks/").json()]

    def allocate(self, root: str, more: str = "") -> int:
        ok, vm_id, _ = self.one.vm.allocate("ignored", TEMPLATE.format(root=root, more=more))
        assert ok, vm_id
        return int(vm_id)

    def vm(self, vm_id: int) -> ET.Element:
        ok, document, _ = self.one.vm.info("ignored", vm_id)
        assert ok, document
        return ET.fromstring(document)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(locations=["paris"], users={USER: PASSWORD}, boot_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def cloud(sandbox: Sandbox) -> Iterator[Cloud]:
    endpoints = sandbox.endpoints["paris"]
    login = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
    url = endpoints["endpoint"].replace("://", f"://{login}@").replace("/xmlrpc", "/pswd/xmlrpc")
    with requests.Session() as http, xmlrpc.client.ServerProxy(url) as proxy:
        http.auth = (USER.encode(), PASSWORD.encode())  # type: ignore[assignment]  # as text: Latin-1 only
        http.headers["Accept"] = "application/json"
        yield Cloud(endpoints, http, proxy)


def test_a_volume_given_at_the_start_is_static(cloud: Cloud) -> None:
    volume = cloud.http.post(f"{cloud.pdisk}/disks/", data={"size": "2"}).json()["uuid"]
    rows = cloud.http.get(f"{cloud.marketplace}/metadata").json()["aaData"]
    disk = f"DISK = [ SOURCE=pdisk:{cloud.pdisk.removesuffix('/pswd')}/{volume}, TARGET=hdc, TYPE=block ]"
    vm_id = cloud.allocate(f"{cloud.marketplace}/metadata/{rows[0][7]}", disk)
    assert cloud.vm(vm_id).findtext("LCM_STATE") == "3"
    mounts = cloud.http.get(f"{cloud.pdisk}/disks/{volume}/mounts/").json()
    assert mounts == [{"vmId": str(vm_id), "device": "static"}]


def test_a_machine_without_its_image_fails(cloud: Cloud) -> None:
    vm_id = cloud.allocate(f"{cloud.marketplace}/metadata/{'Z' * 27}")
    vm = cloud.vm(vm_id)
    assert vm.findtext("STATE") == "7"
    assert vm.findtext("TEMPLATE/ERROR/MESSAGE").startswith(
        "Error excuting image transfer script: Failed to download: "
    )
    assert cloud.disks() == []


def test_redirects_lead_back_through_the_frame(cloud: Cloud) -> None:
    volume = cloud.http.post(f"{cloud.pdisk}/disks/", data={"size": "2", "tag": "old"}).json()["uuid"]
    changed = cloud.http.put(f"{cloud.pdisk}/disks/{volume}/", data={"tag": "new"})
    assert (changed.history[0].status_code, changed.status_code) == (303, 200)
    assert changed.json()["tag"] == "new"


def test_services_without_a_path(cloud: Cloud) -> None:
    assert cloud.http.head(cloud.pdisk).status_code == 200
    assert cloud.http.head(cloud.pdisk, auth=("carol", "wrong")).status_code == 401
    assert cloud.http.get(cloud.marketplace, auth=None).status_code == 200


def test_one_connection_serves_many_requests(sandbox: Sandbox, cloud: Cloud) -> None:
    for path in ("/disks/", "/disks/unknown", "/nowhere", "/disks/unknown/turl"):
        cloud.http.get(cloud.pdisk + path)
        cloud.http.post(cloud.pdisk + path, data={"size": "0"})
    cloud.http.get(f"{cloud.marketplace}/metadata")
    assert sandbox.request_log.operations() == [
        "GET /disks/",
        "POST /disks/",
        "GET /disks/UUID",
        "POST /disks/UUID",
        "GET /nowhere",
        "POST /nowhere",
        "GET /disks/UUID/turl/",
        "POST /disks/UUID/turl/",
        "GET /metadata",
    ]
    assert len({entry.connection for entry in sandbox.request_log}) == 1


def images(cloud: Cloud) -> list[str]:
    return [row[7] for row in cloud.http.get(f"{cloud.marketplace}/metadata").json()["aaData"]]


def saved(cloud: Cloud, action: str) -> list[str]:
    """Run a machine which is to be saved, end it, and return the new images of the Marketplace."""
    before = images(cloud)
    wanted = (
        'CREATE_IMAGE = [ CREATOR_EMAIL = "jane@example.org", CREATOR_NAME = "Jane", '
        'NEWIMAGE_TITLE = "Mine", NEWIMAGE_COMMENT = "", NEWIMAGE_VERSION = "7" ]'
    )
    vm_id = cloud.allocate(f'{cloud.marketplace}/metadata/{before[0]}", save = "yes', wanted)
    assert cloud.one.vm.action("ignored", action, vm_id)[0]
    assert cloud.vm(vm_id).findtext("STATE") == "6"
    return [image for image in images(cloud) if image not in before]


def test_a_machine_to_be_saved_becomes_an_image_when_it_is_shut_down(cloud: Cloud) -> None:
    (image,) = saved(cloud, "shutdown")
    (row,) = cloud.http.get(f"{cloud.marketplace}/metadata/{image}").json()["aaData"]
    assert (row[4], row[8].partition(":")[0], row[10]) == ("jane@example.org", "pdisk", "Mine")
    assert cloud.disks() == []

    vm_id = cloud.allocate(f"{cloud.marketplace}/metadata/{image}")
    assert cloud.vm(vm_id).findtext("LCM_STATE") == "3"
    (disk,) = cloud.disks()
    assert disk["identifier"] == f"snapshot:{row[8].rpartition('/')[2]}"


def test_a_machine_to_be_saved_is_lost_when_it_is_killed(cloud: Cloud) -> None:
    assert saved(cloud, "finalize") == []
