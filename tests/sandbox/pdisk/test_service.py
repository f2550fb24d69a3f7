from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from stratuslab.sandbox.pdisk.disks import DiskType, Mount, Visibility
from stratuslab.sandbox.pdisk.service import DiskService
from tests.sandbox.conftest import HTML, JSON

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from stratuslab.sandbox.pdisk.disks import Disk, DiskStore
    from tests.sandbox.conftest import Http


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def create(pdisk: Http, **form: str) -> str:
    answer = pdisk.request("POST", "/disks/", data={"size": "5", **form})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["uuid"])


def message(answer: requests.Response) -> str:
    body = answer.json()
    assert body["code"] == answer.status_code
    return str(body["message"])


def test_create_and_show(pdisk: Http) -> None:
    uuid = create(pdisk, tag="my tag é", visibility="Public", size="7")
    answer = pdisk.get(f"/disks/{uuid}")
    assert answer.json() == {
        "uuid": uuid,
        "tag": "my tag é",
        "count": "0",
        "owner": "alice",
        "size": "7",
        "type": "DATA_IMAGE_RAW_READ_WRITE",
        "visibility": "PUBLIC",
    }
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.headers["Vary"] == "Accept-Charset, Accept-Encoding, Accept-Language, Accept"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert not {"ETag", "Last-Modified", "Cache-Control"} & set(answer.headers)


def test_the_list_holds_own_disks_newest_first(pdisk: Http) -> None:
    first, second = create(pdisk), create(pdisk, visibility="public")
    assert [disk["uuid"] for disk in pdisk.get("/disks/").json()] == [second, first]
    assert {"type", "visibility"}.isdisjoint(pdisk.get("/disks").json()[0])
    assert pdisk.get("/disks/", user="bob").json() == []
    assert len(pdisk.get("/disks/", user="pdisk").json()) == 2


@pytest.mark.parametrize("path", ["/disks", "/disks/{}", "/disks/{}/mounts", "/disks/{}/turl", "/instances"])
def test_a_trailing_slash_makes_no_difference(pdisk: Http, path: str) -> None:
    path = path.format(create(pdisk))
    plain, slash = pdisk.get(path), pdisk.get(path + "/")
    assert (plain.status_code, plain.content) == (slash.status_code, slash.content) == (200, plain.content)


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({"size": "0"}, 400, "Size must be an integer between 1 and 1024"),
        ({"size": "1025"}, 400, "Size must be an integer between 1 and 1024"),
        ({"size": "-3"}, 400, "Size must be an integer between 1 and 1024"),
        ({"tag": "no size"}, 400, "Size must be an integer between 1 and 1024"),
        ({"size": "abc"}, 400, 'Error parsing size: For input string: "abc"'),
        ({"size": " 5"}, 400, 'Error parsing size: For input string: " 5"'),
        ({"size": ""}, 400, 'Error parsing size: For input string: ""'),
        ({"size": "9" * 30}, 400, f'Error parsing size: For input string: "{"9" * 30}"'),
        ({"size": "1", "visibility": "shared"}, 400, "Invalid value for form element visibility: "),
        ({"size": "1", "type": "FLOPPY"}, 500, "The server encountered an unexpected condition"),
        ({"size": "1", "tag": "t" * 256}, 500, "The server encountered an unexpected condition"),
        ({"size": "1", "url": "here"}, 400, "error initializing disk contents from here"),
        ({"size": "1", "url": "http://h/i", "sha1": "xyz"}, 400, "invalid SHA-1 checksum: xyz"),
    ],
)
def test_creations_refused(pdisk: Http, form: dict[str, str], status: int, text: str) -> None:
    answer = pdisk.request("POST", "/disks/", data=form)
    assert answer.status_code == status
    assert message(answer).startswith(text)
    assert pdisk.get("/disks/").json() == []


def test_sizes_are_grouped_from_1000(pdisk: Http) -> None:
    create(pdisk, size="1024")
    assert pdisk.get("/disks/").json()[0]["size"] == "1,024"


def test_an_identifier_is_registered_once(pdisk: Http) -> None:
    create(pdisk, identifier="X")
    answer = pdisk.request("POST", "/disks/", data={"size": "1", "identifier": "X"})
    assert (answer.status_code, message(answer)) == (403, "Disk already registered")
    create(pdisk, identifier="")
    create(pdisk, identifier="")


def test_a_body_which_is_no_form_is_refused(pdisk: Http) -> None:
    headers = {**JSON, "Content-Type": "text/csv"}
    assert pdisk.request("POST", "/disks/", headers=headers, data="size=5").status_code == 415


def test_create_for_a_browser_redirects_to_the_disk(pdisk: Http) -> None:
    answer = pdisk.request("POST", "/disks/", headers=HTML, data={"size": "5"})
    assert answer.status_code == 303
    uuid = pdisk.get("/disks/").json()[0]["uuid"]
    assert answer.headers["Location"] == f"{pdisk.url}/disks/{uuid}"
    assert answer.headers["Content-Length"] == "0"


def test_update_changes_what_is_in_the_form(pdisk: Http, disks: DiskStore) -> None:
    uuid = create(pdisk, tag="old", seed="on")
    assert disks.get(uuid).seed
    answer = pdisk.request("PUT", f"/disks/{uuid}", data={"tag": "new", "count": "9", "quarantine": "today"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{pdisk.url}/disks/{uuid}")
    disk = pdisk.get(f"/disks/{uuid}").json()
    assert (disk["tag"], disk["size"], disk["count"], disk["quarantine"]) == ("new", "5", "0", "today")
    assert not disks.get(uuid).seed


def test_update_has_the_bugs_of_the_server(pdisk: Http) -> None:
    uuid = create(pdisk, visibility="public")
    form = {"owner": "bob", "size": "5000", "type": "MACHINE_IMAGE_LIVE"}
    assert pdisk.request("PUT", f"/disks/{uuid}", user="bob", data=form).status_code == 303
    disk = pdisk.get(f"/disks/{uuid}").json()
    assert (disk["owner"], disk["size"], disk["type"]) == ("bob", "5,000", "MACHINE_IMAGE_LIVE")


@pytest.mark.parametrize(
    ("form", "status"),
    [({"size": "x"}, 400), ({"visibility": "x"}, 400), ({"type": "x"}, 500), ({}, 400)],
)
def test_updates_refused(pdisk: Http, form: dict[str, str], status: int) -> None:
    uuid = create(pdisk, tag="old")
    before = pdisk.get(f"/disks/{uuid}").json()
    answer = pdisk.request("PUT", f"/disks/{uuid}", data={"tag": "new", **form} if form else {})
    assert answer.status_code == status
    assert pdisk.get(f"/disks/{uuid}").json() == before


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_unknown_and_foreign_disks(pdisk: Http, saved: Callable[..., Disk], method: str) -> None:
    foreign = saved(owner="bob")
    answer = pdisk.request(method, f"/disks/{UNKNOWN}/", data={"tag": "x"})
    assert (answer.status_code, message(answer)) == (404, f"disk ({UNKNOWN}) does not exist")
    answer = pdisk.request(method, f"/disks/{foreign.uuid}", data={"tag": "x"})
    assert answer.status_code == 403
    assert message(answer) == f"insufficient access rights to view disk ({foreign.uuid})"


def test_head(pdisk: Http, saved: Callable[..., Disk]) -> None:
    for path, status in [(saved().uuid, 200), (saved(owner="bob").uuid, 403), (UNKNOWN, 404)]:
        answer = pdisk.request("HEAD", f"/disks/{path}", headers={"Accept": "application/xml"})
        assert (answer.status_code, answer.content) == (status, b"")


def test_delete(pdisk: Http) -> None:
    uuid = create(pdisk)
    answer = pdisk.request("DELETE", f"/disks/{uuid}/")
    assert (answer.status_code, answer.json()) == (200, {"uuid": uuid})
    assert pdisk.get(f"/disks/{uuid}").status_code == 404
    uuid = create(pdisk)
    answer = pdisk.request("DELETE", f"/disks/{uuid}", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{pdisk.url}/disks/")


def test_delete_is_for_the_owner_and_the_superuser(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved(visibility=Visibility.PUBLIC).uuid
    answer = pdisk.request("DELETE", f"/disks/{uuid}", user="bob")
    assert (answer.status_code, message(answer)) == (403, f"insufficient rights to delete disk ({uuid})")
    assert pdisk.request("DELETE", f"/disks/{uuid}", user="pdisk").status_code == 200


def test_a_mounted_disk_stays(pdisk: Http, saved: Callable[..., Disk], disks: DiskStore) -> None:
    uuid = saved().uuid
    disks.mount(Mount(uuid, "1", "vdz"))
    answer = pdisk.request("DELETE", f"/disks/{uuid}")
    assert (answer.status_code, message(answer)) == (409, f"disk ({uuid}) is in use and can't be deleted")


def test_the_origin_of_an_image_is_copied(pdisk: Http, saved: Callable[..., Disk]) -> None:
    origin = saved(type=DiskType.MACHINE_IMAGE_ORIGIN, identifier="ABC")
    copy = pdisk.request("POST", f"/disks/{origin.uuid}", headers={**JSON, "Content-Length": "0"}).json()
    assert copy["identifier"] == f"snapshot:{origin.uuid}"
    assert (copy["type"], copy["owner"], copy["tag"]) == ("MACHINE_IMAGE_LIVE", "", "")
    assert pdisk.get(f"/disks/{origin.uuid}").json()["count"] == "1"


def test_a_live_disk_is_rebased(pdisk: Http, saved: Callable[..., Disk], disks: DiskStore) -> None:
    live = saved(type=DiskType.MACHINE_IMAGE_LIVE, identifier="snapshot:x")
    answer = pdisk.request("POST", f"/disks/{live.uuid}", headers=HTML)
    assert answer.status_code == 303
    origin = pdisk.get(urlsplit(answer.headers["Location"]).path.removeprefix("/somewhere/pdisk/pswd")).json()
    assert (origin["type"], origin["size"], origin["owner"]) == ("MACHINE_IMAGE_ORIGIN", "5", "alice")
    assert origin["uuid"] != live.uuid
    assert disks.get(origin["uuid"]).seed


def test_other_disks_are_neither_copied_nor_rebased(pdisk: Http, saved: Callable[..., Disk]) -> None:
    answer = pdisk.request("POST", f"/disks/{saved().uuid}")
    assert answer.status_code == 409
    assert message(answer) == (
        "Invalid disk state: DATA_IMAGE_RAW_READ_WRITE. Cannot create copy or save as new image."
    )


def attach(pdisk: Http, uuid: str, *, user: str = "alice", **form: str) -> requests.Response:
    return pdisk.request(
        "POST", f"/disks/{uuid}/mounts/", user=user, data={"node": "node-1", "vm_id": "42", **form}
    )


def test_attach_and_detach(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved().uuid
    answer = attach(pdisk, uuid)
    assert answer.status_code == 200
    assert answer.json() == {"node": "node-1", "vm_id": "42", "target": "vdz", "uuid": [uuid]}
    assert attach(pdisk, saved().uuid).json()["target"] == "vdy"
    assert pdisk.get(f"/disks/{uuid}/mounts").json() == [{"vmId": "42", "device": "vdz"}]
    assert pdisk.get(f"/disks/{uuid}").json()["count"] == "1"
    answer = pdisk.request("DELETE", f"/disks/{uuid}/mounts/{uuid}_42")
    assert answer.status_code == 200
    assert answer.json() == {"diskId": uuid, "mountId": f"{uuid}_42", "vmId": "42", "target": "vdz"}
    assert pdisk.get(f"/disks/{uuid}/mounts/").text == "[\n]\n"
    answer = pdisk.request("DELETE", f"/disks/{uuid}/mounts/{uuid}_42")
    assert answer.status_code == 404
    assert message(answer) == "The server has not found anything matching the request URI"


def test_a_disk_may_be_on_several_machines(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved().uuid
    assert [attach(pdisk, uuid, vm_id=str(vm)).json()["target"] for vm in (1, 2)] == ["vdz", "vdz"]


def test_register_only_mounts_are_static(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved().uuid
    assert attach(pdisk, uuid, register_only="True").json()["target"] == "static"
    assert attach(pdisk, saved().uuid).json()["target"] == "vdz"
    assert pdisk.request("DELETE", f"/disks/{uuid}/mounts/{uuid}_42").json()["target"] == "static"


def test_attachments_refused(pdisk: Http, saved: Callable[..., Disk]) -> None:
    mine, foreign, public = saved(), saved(owner="bob"), saved(owner="bob", visibility=Visibility.PUBLIC)
    mounts = f"/disks/{mine.uuid}/mounts/"
    refused = [
        (pdisk.request("POST", mounts, data={"vm_id": "1"}), 400, "missing node attribute"),
        (pdisk.request("POST", mounts, data={"node": "", "vm_id": "1"}), 400, "missing node attribute"),
        (pdisk.request("POST", mounts, data={"node": "n"}), 400, "missing vm_id attribute"),
        (pdisk.request("POST", mounts), 400, "post with null entity"),
        (attach(pdisk, UNKNOWN), 404, f"Unknown disk: {UNKNOWN}"),
        (attach(pdisk, foreign.uuid), 403, "Not enough rights to attach disk"),
    ]
    for answer, status, text in refused:
        assert (answer.status_code, message(answer)) == (status, text)
    answer = attach(pdisk, mine.uuid, node="None")
    assert answer.status_code == 500
    assert message(answer).startswith("An error occurred while executing command: ssh -p 22 oneadmin@None ")
    assert attach(pdisk, public.uuid).status_code == 200
    answer = attach(pdisk, public.uuid)
    assert (answer.status_code, message(answer)) == (403, f"Mount already exists for: 42 and {public.uuid}")
    assert pdisk.get(mounts).json() == []


def test_detaching_needs_the_right_to_view(pdisk: Http, saved: Callable[..., Disk], disks: DiskStore) -> None:
    uuid = saved(owner="bob").uuid
    disks.mount(Mount(uuid, "1", "vdz"))
    answer = pdisk.request("DELETE", f"/disks/{uuid}/mounts/{uuid}_1")
    assert (answer.status_code, message(answer)) == (403, "insufficient rights to detach disk")


def test_no_more_than_26_devices(pdisk: Http, saved: Callable[..., Disk]) -> None:
    with ThreadPoolExecutor(8) as pool:
        targets = pool.map(lambda _: attach(pdisk, saved().uuid).json()["target"], range(26))
        assert len(set(targets)) == 26
    answer = attach(pdisk, saved().uuid)
    assert (answer.status_code, message(answer)) == (409, "no free devices available")


def test_browsers_are_redirected_after_attach_and_detach(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved().uuid
    mounts = f"{pdisk.url}/disks/{uuid}/mounts/"
    form = {"node": "n", "vm_id": "3"}
    answer = pdisk.request("POST", f"/disks/{uuid}/mounts/", headers=HTML, data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{mounts}{uuid}_3")
    assert f"{uuid}_3" in pdisk.get(f"/disks/{uuid}/mounts/{uuid}_3", headers=HTML).text
    answer = pdisk.request("DELETE", f"/disks/{uuid}/mounts/{uuid}_3", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, mounts)


def test_the_json_of_one_mount_is_broken(pdisk: Http, saved: Callable[..., Disk], disks: DiskStore) -> None:
    uuid = saved().uuid
    disks.mount(Mount(uuid, "1", "vdz"))
    answer = pdisk.get(f"/disks/{uuid}/mounts/{uuid}_1")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_mounts_and_turl_ask_for_no_rights(pdisk: Http, saved: Callable[..., Disk]) -> None:
    uuid = saved(owner="bob").uuid
    assert pdisk.get(f"/disks/{uuid}/mounts/").status_code == 200
    assert pdisk.get(f"/disks/{uuid}/turl/").json() == {
        "uuid": uuid,
        "turl": f"iscsi://127.0.0.1/iqn.2011-01.eu.stratuslab:{uuid}:1",
    }
    answer = pdisk.get(f"/disks/{UNKNOWN}/turl")
    assert (answer.status_code, message(answer)) == (404, f"Unknown disk: {UNKNOWN}")


def test_instances(pdisk: Http, saved: Callable[..., Disk], disks: DiskStore) -> None:
    disks.mount(Mount(saved().uuid, "17", "vdz"))
    for path in ("/instances/", "/instances/17"):
        answer = pdisk.get(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert "17" in pdisk.get(path, headers=HTML).text


@pytest.mark.parametrize(
    ("accept", "query", "success", "failure"),
    [
        ("application/json", "", "application/json", "application/json"),
        ("text/html", "", "text/html", "text/html"),
        ("*/*", "", "application/json", "text/html"),
        (None, "", "application/json", "text/html"),
        ("application/xml", "", "application/json", "text/plain"),
        ("text/plain", "", "application/json", "text/plain"),
        ("application/xhtml+xml,text/html;q=0.9,*/*;q=0.8", "", "text/html", "text/html"),
        ("application/json;q=0.5, text/plain;q=0.9", "", "application/json", "text/plain"),
        ("text/html", "?media=json", "application/json", "application/json"),
        ("application/json", "?media=html", "text/html", "text/html"),
    ],
)
def test_media_types(
    pdisk: Http, saved: Callable[..., Disk], accept: str | None, query: str, success: str, failure: str
) -> None:
    headers = {"Accept": accept}  # None: no such header at all
    good = pdisk.get(f"/disks/{saved().uuid}{query}", headers=headers)
    bad = pdisk.get(f"/disks/{UNKNOWN}{query}", headers=headers)
    assert good.headers["Content-Type"] == f"{success}; charset=UTF-8"
    assert bad.headers["Content-Type"] == f"{failure}; charset=UTF-8"
    assert bad.status_code == 404
    if failure == "text/plain":
        assert bad.text == f"ERROR (404): disk ({UNKNOWN}) does not exist"


@pytest.mark.parametrize("path", ["/api/disks", "/disk", f"/disks/{UNKNOWN}/attach/1", "/disks//mounts"])
def test_unknown_addresses_are_html(pdisk: Http, path: str) -> None:
    answer = pdisk.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")


def test_unknown_methods(pdisk: Http, saved: Callable[..., Disk]) -> None:
    answer = pdisk.request("PATCH", f"/disks/{saved().uuid}")
    assert answer.status_code == 405
    assert message(answer).startswith("The method specified in the request is not allowed")
    assert answer.headers["Allow"] == "GET, PUT, POST, DELETE"


def test_pages_escape_what_users_wrote(pdisk: Http) -> None:
    uuid = create(pdisk, tag="<script>")
    for path in ("/disks/", f"/disks/{uuid}"):
        assert "&lt;script&gt;" in pdisk.get(path, headers=HTML).text


def test_the_home_page(pdisk: Http) -> None:
    for path in ("/", ""):
        answer = pdisk.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/", "GET /"),
        ("GET", "/disks", "GET /disks/"),
        ("POST", "/disks/", "POST /disks/"),
        ("HEAD", f"/disks/{UNKNOWN}", "HEAD /disks/UUID"),
        ("DELETE", f"/disks/{UNKNOWN}/", "DELETE /disks/UUID"),
        ("POST", f"/disks/{UNKNOWN}/mounts", "POST /disks/UUID/mounts/"),
        ("DELETE", f"/disks/{UNKNOWN}/mounts/{UNKNOWN}_1/", "DELETE /disks/UUID/mounts/MOUNT"),
        ("GET", f"/disks/{UNKNOWN}/turl", "GET /disks/UUID/turl/"),
        ("GET", "/instances/7", "GET /instances/ID"),
        ("GET", "/nowhere", "GET /nowhere"),
    ],
)
def test_operations(disks: DiskStore, method: str, path: str, operation: str) -> None:
    assert DiskService(disks).operation(method, path) == operation


def test_a_connection_can_be_kept(pdisk: Http) -> None:
    address = urlsplit(pdisk.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.request("GET", f"{address.path}/disks/", headers={"Authorization": "Basic YWxpY2U6eA=="})
    answer = connection.getresponse()
    assert answer.getheader("Content-Length") == str(len(answer.read()))
    connection.close()
