from __future__ import annotations

import configparser
import stat
import threading
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from stratuslab.sandbox import Sandbox
from tests.sandbox.conftest import DISKS, FORM

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
    url = sandbox.url
    assert connect().allocate().values == [True, 0, 0]
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        connect().vms()
    sandbox.start()
    assert sandbox.url == url
    assert connect().call("one.vm.info", 0).values[0] is True


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
    def states() -> tuple[str | None, str | None]:
        _, document, _ = client.call("one.vm.info", 0).values
        vm = ElementTree.fromstring(document)
        return vm.findtext("STATE"), vm.findtext("LCM_STATE")

    listing = client.request("GET", "/paris/marketplace/metadata", Accept="application/xml")
    entry = ElementTree.fromstring(listing.body).find(f".//{DCTERMS}identifier")
    assert entry is not None
    source = f"{sandbox.endpoints['paris']['marketplace_endpoint']}/metadata/{entry.text}"
    assert client.call("one.vm.allocate", STRATUSLAB_TEMPLATE.format(source=source)).values == [True, 0, 0]
    seen = []
    for _ in range(5):
        seen.append((*states(), len(client.disks())))
        sandbox.clock.step(2)
    assert seen == [("1", "0", 0), ("3", "1", 0), ("3", "1", 0), ("3", "2", 1), ("3", "3", 1)]
    (snapshot,) = client.disks()
    assert snapshot["identifier"].startswith("snapshot:")
    assert (snapshot["tag"], snapshot["count"], snapshot["owner"]) == ("", "1", "demo")

    uuid = client.request("POST", DISKS, b"size=5&tag=data", **FORM).json["uuid"]
    mount = b"node=node-1.paris.example.org&vm_id=0"
    attached = client.request("POST", f"{DISKS}{uuid}/mounts/", mount, **FORM)
    assert (attached.status, attached.json["target"]) == (200, "vdz")
    assert client.request("DELETE", f"{DISKS}{uuid}", Accept="application/json").status == 409

    assert client.call("one.vm.action", "finalize", 0).values == [True, 0, 0]
    assert states() == ("3", "15")
    assert len(client.disks()) == 2
    sandbox.clock.step(2)
    assert client.vms() == "<VM_POOL></VM_POOL>"
    assert [(disk["uuid"], disk["count"]) for disk in client.disks()] == [(uuid, "0")]
    assert client.request("DELETE", f"{DISKS}{uuid}", Accept="application/json").status == 200
    assert client.disks() == []
