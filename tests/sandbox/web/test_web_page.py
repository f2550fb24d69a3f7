from __future__ import annotations

import base64
import hashlib
import html
import http.client
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.web.conftest import Page

    Fetch = Callable[..., Page]

VMS, VOLUMES, IMAGES = "Virtual machines", "Volumes", "Images"
REQUESTS = "Last requests, newest first"
NIC = "NIC = [ NETWORK = public, NETWORK_UNAME = oneadmin ]"


def test_a_new_cloud(fetch: Fetch, sandbox: Sandbox) -> None:
    page = fetch()
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.rows("Services of each location") == [
        {
            "Location": "paris",
            "Compute": sandbox.endpoints["paris"]["endpoint"],
            "PDisk": sandbox.endpoints["paris"]["pdisk_endpoint"],
            "Marketplace": sandbox.endpoints["paris"]["marketplace_endpoint"],
        }
    ]
    assert page.tables[VMS][1:] == [["No virtual machine yet."]]
    assert page.tables[VOLUMES][1:] == [["No volume yet."]]
    assert page.tables[REQUESTS][1:] == [["No request yet."]]
    assert "As of <time" in page.source
    assert "2014-05-13 16:53:20" in page.source


def test_the_way_of_a_vm(fetch: Fetch, start_vm: Callable[[str], int], sandbox: Sandbox) -> None:
    start_vm(f"NAME = web\nMEMORY = 512\n{NIC}")
    states = [fetch().rows(VMS)[0]["State"]]
    for _ in range(4):
        sandbox.clock.step(2)
        states.append(fetch().rows(VMS)[0]["State"])
    assert states == ["PENDING", "PROLOG", "PROLOG", "BOOT", "RUNNING"]
    [vm] = fetch().rows(VMS)
    assert (vm["VM"], vm["Name"], vm["Owner"], vm["Address"]) == ("0", "web", "demo", "198.18.0.1")
    assert vm["Started"] == "2014-05-13 16:53:20"


def test_history_tells_every_stay(fetch: Fetch, start_vm: Callable[[str], int], sandbox: Sandbox) -> None:
    start_vm("NAME = web")
    assert fetch().rows(VMS)[0]["Host and history"] == "no host"
    sandbox.clock.step(8)
    oned = sandbox.location("paris").oned
    oned.call("one.vm.action", ["stop", 0], "demo")
    sandbox.clock.step(4)
    oned.call("one.vm.action", ["resume", 0], "demo")
    sandbox.clock.step(8)
    assert fetch().rows(VMS)[0]["Host and history"] == (
        "node-2.paris.example.org"
        "node-1.paris.example.org, left for STOP_RESUME"
        "Transfer 2014-05-13 16:53:22 to 2014-05-13 16:53:26"
        "Running 2014-05-13 16:53:26 to 2014-05-13 16:53:30"
        "Epilog 2014-05-13 16:53:30 to 2014-05-13 16:53:32"
        "node-2.paris.example.org"
        "Transfer 2014-05-13 16:53:34 to 2014-05-13 16:53:38"
        "Running since 2014-05-13 16:53:38"
    )


def test_a_failure_has_its_reason(fetch: Fetch, start_vm: Callable[[str], int], sandbox: Sandbox) -> None:
    sandbox.location("paris").oned.fail(start_vm("NAME = web"), "no <room>")
    assert fetch().rows(VMS)[0]["State"] == "FAILED no <room>"


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ("<VM><ID>7</ID><STATE>3</STATE><LCM_STATE>142</LCM_STATE></VM>", "LCM_STATE 142"),
        ("<VM><ID>7</ID><STATE>42</STATE></VM>", "STATE 42"),
        ("<VM><ID>7</ID><STATE>6</STATE>", "broken document no element found: line 1, column 30"),
    ],
)
def test_a_vm_that_a_test_made_up(fetch: Fetch, sandbox: Sandbox, document: str, state: str) -> None:
    sandbox.location("paris").oned.insert(document)
    [vm] = fetch().rows(VMS)
    assert (vm["VM"], vm["State"]) == ("7", state)


def test_a_vm_without_room_says_why_it_is_pending(fetch: Fetch) -> None:
    clock = Clock(1_400_000_000.0)
    with Sandbox(locations=["paris"], clock=clock, boot_seconds=8, hosts=1, host_capacity=(1, 512)) as full:
        oned = full.location("paris").oned
        for name in ("first", "second"):
            oned.call("one.vm.allocate", [f"NAME = {name}\nCPU = 1\nMEMORY = 512"], "demo")
        assert {vm["State"] for vm in fetch(of=full).rows(VMS)} == {"PENDING"}
        clock.step(8)
        states = {vm["Name"]: vm["State"] for vm in fetch(of=full).rows(VMS)}
        reason = "No host has room for CPU = 1, MEMORY = 512"
        assert states == {"first": "RUNNING", "second": f"PENDING {reason}"}
        oned.call("one.vm.action", ["finalize", 0], "demo")
        clock.step(16)
        assert fetch(of=full).rows(VMS)[0]["State"] == "RUNNING"


def test_names_come_before_ids(fetch: Fetch, start_vm: Callable[[str], int]) -> None:
    start_vm("NAME = web")
    page = fetch()
    assert page.tables[VMS][0][:2] == ["Name", "VM"]
    assert page.tables[IMAGES][0][:2] == ["Title", "Image"]


def test_images_that_are_the_same_are_shown_once(fetch: Fetch, clock: Clock) -> None:
    with Sandbox(locations=["paris", "lyon", "rome"], clock=clock) as sandbox:
        changed = sandbox.location("rome").catalogue
        changed.add(replace(changed.entries()[0], title="only here", email="me@example.org"))
        page = fetch(of=sandbox)
    ids = {given["id"] for _, given in page.elements if "id" in given}
    assert {"images-paris-caption", "images-rome-caption"} <= ids
    assert "images-lyon-caption" not in ids
    assert 'Images: the same as at <a href="#images-paris-caption">paris</a>' in page.source


@pytest.mark.parametrize("cloud", ["stratuslab", "opennebula-7.4"])
def test_it_says_how_to_connect(fetch: Fetch, clock: Clock, cloud: str) -> None:
    with Sandbox(locations=["paris"], clock=clock, cloud=cloud) as sandbox:
        [lines] = re.findall(r"<pre><code>(.*?)</code></pre>", fetch(of=sandbox).source, re.DOTALL)
        export, _, *python = html.unescape(lines).splitlines()
        assert export == f"export STRATUSLAB_CONFIG={sandbox.config_file}"
    kind = "StratusLab" if cloud == "stratuslab" else "OpenNebula"
    assert python == [
        f"from stratuslab.libcloud.{kind.lower()}_driver import {kind}NodeDriver",
        f'driver = {kind}NodeDriver("default")',
        "print(driver.list_images())",
    ]


def test_at_most_a_hundred_vms_those_which_live_first(
    fetch: Fetch, start_vm: Callable[[str], int], sandbox: Sandbox
) -> None:
    oned = sandbox.location("paris").oned
    for vm_id in range(101):
        oned.insert(f"<VM><ID>{vm_id}</ID><STATE>6</STATE></VM>")
    oned.set_state(0, 1)
    assert [int(vm["VM"]) for vm in fetch().rows(VMS)] == [0, *range(100, 1, -1)]


def test_volumes_and_where_they_are(
    fetch: Fetch, start_vm: Callable[[str], int], make_volume: Callable[[str], None], sandbox: Sandbox
) -> None:
    make_volume("size=1000&tag=results&visibility=public")
    [volume] = fetch().rows(VOLUMES)
    assert [*volume][:2] == ["Tag", "Volume"]
    assert volume["Tag"] == "results"
    assert [*volume.values()][2:] == [
        "demo",
        "1000",
        "DATA_IMAGE_RAW_READ_WRITE",
        "PUBLIC",
        "",
    ]
    start_vm("NAME = web")
    sandbox.clock.step(8)
    assert [(disk["Owner"], disk["Type"], disk["Mounted on"]) for disk in fetch().rows(VOLUMES)] == [
        ("demo", "MACHINE_IMAGE_LIVE", "VM 0 (static)"),
        ("pdisk", "MACHINE_IMAGE_ORIGIN", ""),
        ("demo", "DATA_IMAGE_RAW_READ_WRITE", ""),
    ]
    sandbox.location("paris").oned.call("one.vm.action", ["finalize", 0], "demo")
    sandbox.clock.step(8)
    assert [disk["Type"] for disk in fetch().rows(VOLUMES)] == [
        "MACHINE_IMAGE_ORIGIN",
        "DATA_IMAGE_RAW_READ_WRITE",
    ]


def test_images_and_their_status(fetch: Fetch, sandbox: Sandbox) -> None:
    images = fetch().rows(IMAGES)
    assert len(images) == len(sandbox.location("paris").catalogue.entries())
    assert images[0]["Title"] == "ttylinux 14.1"
    assert images[0]["System"] == "ttylinux 14.1 x86_64"
    assert {image["Status"].split()[0] for image in images} == {"valid", "expired", "deprecated"}


def test_the_last_requests(fetch: Fetch, start_vm: Callable[[str], int]) -> None:
    for _ in range(2):
        start_vm("CPU = 1")
    fetch(path="/paris/one-proxy/pswd/xmlrpc")
    assert [[*row.values()] for row in fetch().rows(REQUESTS)] == [
        ["3", "paris", "compute", "GET xmlrpc", "HTTP 401", ""],
        ["2", "paris", "compute", "one.vm.allocate", "HTTP 200", ""],
        ["1", "paris", "compute", "one.vm.allocate", "HTTP 200", ""],
    ]


def test_a_request_that_was_not_answered(fetch: Fetch, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:cut-after")
    with pytest.raises(http.client.RemoteDisconnected):
        fetch(path="/paris/marketplace/metadata")
    [request] = fetch().rows(REQUESTS)
    assert (request["Answer"], request["Faults on purpose"]) == ("none", "*:cut-after")


def test_looking_at_the_page_is_no_request_to_the_cloud(fetch: Fetch, sandbox: Sandbox) -> None:
    fetch()
    assert not sandbox.request_log


EVIL = '<script>alert("x")</script>'


def test_markup_of_others_is_text(
    fetch: Fetch, start_vm: Callable[[str], int], make_volume: Callable[[str], None], sandbox: Sandbox
) -> None:
    start_vm("NAME = \"&lt;script>alert('x')&lt;/script>\"")
    make_volume("size=1&tag=" + EVIL)
    catalogue = sandbox.location("paris").catalogue
    catalogue.add(replace(catalogue.entries()[0], title=EVIL, os=EVIL, deprecated=EVIL, email='"><b>'))
    fetch(path='/paris/marketplace/"<b>')
    page = fetch()
    assert page.rows(VMS)[0]["Name"] == EVIL.replace('"', "'")
    assert page.rows(VOLUMES)[0]["Tag"] == EVIL
    assert page.rows(IMAGES)[-1]["Title"] == EVIL
    assert "<b>" in page.rows(REQUESTS)[0]["Operation"]
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "b" not in [tag for tag, _ in page.elements]


def test_no_secret_is_on_it(fetch: Fetch, start_vm: Callable[[str], int]) -> None:
    start_vm('CONTEXT = [ PUBLIC_KEY = "ssh-rsa secret" ]')
    page = fetch()
    assert "demo-pass" not in page.source
    assert "secret" not in page.source


def test_nothing_but_the_page_itself_may_run_or_load(fetch: Fetch) -> None:
    page = fetch()
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        [inline] = re.findall(rf"<{element}>(.*?)</{element}>", page.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert policy.pop(directive) == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    addresses = {
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href")
    }
    assert addresses == {"/", "data:,", "#main", "#locations", "#location-paris", "#log"}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_it_can_be_found_and_read_by_ear(fetch: Fetch) -> None:
    page = fetch()
    tags = [tag for tag, _ in page.elements]
    attributes = [attributes for _, attributes in page.elements]
    ids = [given["id"] for given in attributes if "id" in given]
    assert ("html", {"lang": "en"}) in page.elements
    assert {"header", "nav", "main"} <= set(tags)
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert tags.count("table") == tags.count("caption") == 5
    assert all(given.get("scope") in ("row", "col") for tag, given in page.elements if tag == "th")
    assert len(ids) == len(set(ids))
    links = [given.get("href") or "" for given in attributes]
    targets = [link[1:] for link in links if link.startswith("#")]
    assert {
        *targets,
        *(given["aria-labelledby"] for given in attributes if "aria-labelledby" in given),
    } <= set(ids)
    assert targets[0] == "main"
    assert next(tag for tag, given in page.elements if "tabindex" in given or tag in ("a", "button")) == "a"
    assert [given["hidden"] for tag, given in page.elements if tag == "button"] == [None]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_is_to_look_at(fetch: Fetch, method: str) -> None:
    page = fetch(method)
    assert (page.status, page.headers["Allow"]) == (405, "GET, HEAD")
    assert fetch("HEAD").status == 200


def test_every_location_has_its_part(fetch: Fetch, clock: Clock) -> None:
    with Sandbox(locations=["paris", "lyon"], clock=clock) as sandbox:
        page = fetch(of=sandbox)
    assert [given["id"] for tag, given in page.elements if tag == "section"] == [
        "locations",
        "location-paris",
        "location-lyon",
        "log",
    ]
