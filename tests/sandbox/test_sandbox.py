from __future__ import annotations

import configparser
import json
import stat
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.conftest import Client

DCTERMS = "{http://purl.org/dc/terms/}"


def configuration(sandbox: Sandbox) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    with sandbox.config_file.open(encoding="utf-8") as file:
        parser.read_file(file)
    return parser


def test_configuration_file() -> None:
    users = {"jane": "100%é #;", "joe": "x"}
    with Sandbox(locations=["paris", "lyon"], users=users) as sandbox:
        path = sandbox.config_file
        assert path.name == "stratuslab-user.cfg"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        parser = configuration(sandbox)
        assert parser.sections() == ["default", "paris", "lyon"]
        assert dict(parser["default"]) == {
            "selected_section": "paris",
            "username": "jane",
            "password": "100%é #;",
        }
        assert dict(parser["lyon"]) == {
            "name": "StratusLab at lyon",
            "country": "Earth",
            "endpoint": f"{sandbox.url}/lyon/one-proxy/xmlrpc",
            "pdisk_endpoint": f"{sandbox.url}/lyon/pdisk",
            "marketplace_endpoint": f"{sandbox.url}/lyon/marketplace",
        }
        assert sandbox.endpoints["lyon"].items() <= dict(parser["lyon"]).items()
        assert [*sandbox.endpoints] == ["paris", "lyon"]
    assert not path.parent.exists()


def test_configuration_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.cfg"
    with Sandbox(config_file=path) as sandbox:
        assert sandbox.config_file == path
        assert configuration(sandbox)["default"]["username"] == "demo"
    assert [*tmp_path.iterdir()] == []


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "precious.cfg"
    path.write_text("mine")
    threads = threading.active_count()
    sandbox = Sandbox(config_file=path)
    with pytest.raises(FileExistsError):
        sandbox.start()
    assert path.read_text() == "mine"
    assert threading.active_count() == threads
    path.unlink()
    with sandbox:
        assert sandbox.url


def test_stopped_sandbox_has_no_address() -> None:
    sandbox = Sandbox()
    sandbox.stop()
    for attribute in ("url", "endpoints", "config_file"):
        with pytest.raises(RuntimeError, match="not running"):
            getattr(sandbox, attribute)


def test_running_sandbox_cannot_be_started(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="is running"):
        sandbox.start()


def test_everything_outlives_a_stop(sandbox: Sandbox, connect: Callable[[], Client]) -> None:
    path = "/paris/one-proxy/pswd/xmlrpc"
    url = sandbox.url
    assert connect().values(path, "one.vm.allocate", "x", "CPU = 1") == [True, 0, 0]
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        connect().values(path, "one.vm.info", "x", 0)
    sandbox.start()
    assert sandbox.url == url
    assert connect().values(path, "one.vm.info", "x", 0)[0] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"locations": []},
        {"locations": [""]},
        {"locations": ["a", "a"]},
        {"locations": ["default"]},
        {"locations": ["DEFAULT"]},
        {"locations": ["instance_types"]},
        {"locations": ["a/b"]},
        {"locations": ["a]"]},
        {"locations": ["a\n"]},
        {"users": {}},
        {"users": {"": "secret-word"}},
        {"users": {"a:b": "secret-word"}},
        {"users": {"a\nb": "secret-word"}},
        {"users": {" a": "secret-word"}},
        {"users": {"a": ""}},
        {"users": {"a": " secret-word"}},
        {"users": {"a": "secret-word\n"}},
        {"boot_seconds": -1},
    ],
)
def test_what_a_sandbox_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Sandbox(**wrong)
    assert "secret-word" not in str(caught.value)


def test_location() -> None:
    sandbox = Sandbox(locations=["paris"])
    assert sandbox.location("paris").name == "paris"
    with pytest.raises(KeyError):
        sandbox.location("lyon")


def test_by_default_the_clock_runs() -> None:
    sandbox = Sandbox(boot_seconds=0)
    first = sandbox.clock.now()
    assert sandbox.clock.now() >= first > 1_700_000_000


STRATUSLAB_TEMPLATE = """\
# ---- Stratuslab VM template ----

CPU    = 1
VCPU    = 1
MEMORY = 1536
RANK = "- RUNNING_VMS"

NAME = "mynode"

DISK = [
source   = "{source}",
target   = "hda",
save     = no,
readonly = "no",
driver = "raw"
]
DISK = [
type     = swap,
size     = 1536,
target   = "hdb",
readonly = "no"
]

NIC = [ network_uname=oneadmin,network = "public" ]

GRAPHICS = [
port = "-1",
type = "vnc"
]

CONTEXT = [
public_key = "ssh-rsa AAAAB3Nza default@host
",

target = "hdd"
]
"""


def test_a_machine_with_a_volume_from_start_to_end(sandbox: Sandbox, client: Client) -> None:
    compute, pdisk = "/paris/one-proxy/pswd/xmlrpc", "/paris/pdisk/pswd/disks/"
    wanted: dict[str, Any] = {"Accept": "application/json"}
    form: dict[str, Any] = {**wanted, "Content_Type": "application/x-www-form-urlencoded"}

    def states() -> tuple[str | None, str | None]:
        _, document, _ = client.values(compute, "one.vm.info", "demo:demo-pass", 0)
        vm = ElementTree.fromstring(document)
        return vm.findtext("STATE"), vm.findtext("LCM_STATE")

    def disks() -> list[dict[str, str]]:
        return [*json.loads(client.request("GET", pdisk, **wanted).body)]

    listing = client.request("GET", "/paris/marketplace/metadata", Accept="application/xml")
    entry = ElementTree.fromstring(listing.body).find(f".//{DCTERMS}identifier")
    assert entry is not None
    source = f"{sandbox.endpoints['paris']['marketplace_endpoint']}/metadata/{entry.text}"
    template = STRATUSLAB_TEMPLATE.format(source=source)
    assert client.values(compute, "one.vm.allocate", "demo:demo-pass", template) == [True, 0, 0]
    seen = []
    for _ in range(5):
        seen.append((states(), len(disks())))
        sandbox.clock.step(2)
    assert seen == [
        (("1", "0"), 0),
        (("3", "1"), 0),
        (("3", "1"), 0),
        (("3", "2"), 1),
        (("3", "3"), 1),
    ]

    created = client.request("POST", pdisk, urlencode({"size": "5", "tag": "data"}).encode(), **form)
    uuid = json.loads(created.body)["uuid"]
    mount = urlencode({"node": "node-1.paris.example.org", "vm_id": "0"}).encode()
    attached = client.request("POST", f"{pdisk}{uuid}/mounts/", mount, **form)
    assert (attached.status, json.loads(attached.body)["target"]) == (200, "vdz")
    assert client.request("DELETE", f"{pdisk}{uuid}", **wanted).status == 409

    assert client.values(compute, "one.vm.action", "demo:demo-pass", "finalize", 0) == [True, 0, 0]
    assert states() == ("3", "15")
    assert len(disks()) == 2
    sandbox.clock.step(2)
    assert client.values(compute, "one.vmpool.info", "x", -3, -1, -1, -1) == [True, "<VM_POOL></VM_POOL>", 0]
    assert [disk["count"] for disk in disks()] == ["0"]
    assert client.request("DELETE", f"{pdisk}{uuid}", **wanted).status == 200
    assert disks() == []
