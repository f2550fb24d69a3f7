"""OpenNebula from 5.12 on, asked over its socket: what happens in time, and what goes wrong on purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen
from xml.etree import ElementTree
from xmlrpc.client import Fault, ServerProxy

import pytest

from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.opennebula.current.methods import NOT_OFFERED

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "sandbox.md"
SESSION = "demo:demo-pass"
VM = """NAME = "one"
CPU = 1
MEMORY = 64
DISK = [ IMAGE_ID = 0 ]
NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]
"""
VOLUME = 'NAME = "data"\nTYPE = DATABLOCK\nSIZE = 100\nPERSISTENT = YES\n'


class Client:
    """Calls of one user; a refusal is an AssertionError but for `refused`."""

    def __init__(self, sandbox: Sandbox, location: str = "sandbox") -> None:
        self.sandbox = sandbox
        self.proxy = ServerProxy(sandbox.endpoints[location]["endpoint"])

    def answer(self, method: str, *arguments: object) -> list[Any]:
        answer: Any = getattr(self.proxy, method)(SESSION, *arguments)
        return list(answer)

    def call(self, method: str, *arguments: object) -> Any:
        answer = self.answer(method, *arguments)
        assert answer[0], answer
        return answer[1]

    def refused(self, method: str, *arguments: object) -> tuple[int, str]:
        answer = self.answer(method, *arguments)
        assert answer[0] is False
        return answer[2], answer[1]

    def vm(self, vm_id: int) -> ElementTree.Element:
        return ElementTree.fromstring(self.call("one.vm.info", vm_id))

    def place(self, vm_id: int) -> str:
        vm = self.vm(vm_id)
        return f"{vm.findtext('STATE')}/{vm.findtext('LCM_STATE')}"

    def image_state(self, image_id: int) -> str | None:
        return ElementTree.fromstring(self.call("one.image.info", image_id)).findtext("STATE")

    def step(self, seconds: float) -> None:
        self.sandbox.clock.step(seconds)


@pytest.fixture(params=["opennebula-5.12", "opennebula-6.10", "opennebula-7.4"])
def one(request: pytest.FixtureRequest) -> Iterator[Client]:
    users = {"demo": "demo-pass", "guest": "guest-pass"}
    with Sandbox(cloud=request.param, users=users, boot_seconds=4, clock=Clock(1_800_000_000)) as sandbox:
        yield Client(sandbox)


def running(one: Client, text: str = VM) -> int:
    vm_id = one.call("one.vm.allocate", text)
    one.step(10)
    assert one.place(vm_id) == "3/3"
    return int(vm_id)


def ready_volume(one: Client) -> int:
    image_id = one.call("one.image.allocate", VOLUME, 1)
    assert one.image_state(image_id) == "4"
    one.step(1)
    assert one.image_state(image_id) == "1"
    return int(image_id)


def test_a_vm_gets_from_pending_to_running(one: Client) -> None:
    vm_id = one.call("one.vm.allocate", VM)
    seen = [one.place(vm_id)]
    for _ in range(4):
        one.step(1)
        seen.append(one.place(vm_id))
    assert seen == ["1/0", "3/1", "3/1", "3/2", "3/3"]


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("terminate-hard", ["3/12", "3/11", "6/0"]),
        ("poweroff", ["3/18", "8/0"]),
        ("suspend", ["3/6", "5/0"]),
        ("stop", ["3/5", "3/10", "4/0"]),
        ("undeploy-hard", ["3/29", "3/30", "9/0"]),
        ("reboot", ["3/3"]),
    ],
)
def test_actions_take_their_way(one: Client, action: str, way: list[str]) -> None:
    vm_id = running(one)
    one.call("one.vm.action", action, vm_id)
    seen = []
    for _ in way:
        seen.append(one.place(vm_id))
        one.step(1)
    assert seen == way


def test_after_resume_the_old_state_shows_for_a_moment(one: Client) -> None:
    vm_id = running(one)
    one.call("one.vm.action", "poweroff", vm_id)
    one.step(5)
    one.call("one.vm.action", "resume", vm_id)
    seen = [one.place(vm_id)]
    for seconds in (0.5, 1):
        one.step(seconds)
        seen.append(one.place(vm_id))
    assert seen == ["8/0", "3/20", "3/3"]


def test_a_volume_is_attached_and_detached(one: Client) -> None:
    vm_id, volume = running(one), ready_volume(one)
    one.call("one.vm.attach", vm_id, f"DISK = [ IMAGE_ID = {volume} ]")
    assert (one.place(vm_id), one.image_state(volume)) == ("3/17", "8")
    assert one.refused("one.vm.action", "terminate-hard", vm_id)[0] == 2048
    one.step(1)
    targets = [disk.findtext("TARGET") for disk in one.vm(vm_id).iterfind("TEMPLATE/DISK")]
    assert (one.place(vm_id), targets) == ("3/3", ["sda", "sdb"])
    one.call("one.vm.detach", vm_id, 1)
    one.step(1)
    assert (one.image_state(volume), len(one.vm(vm_id).findall("TEMPLATE/DISK"))) == ("1", 1)


def test_an_attach_that_fails_says_nothing(one: Client) -> None:
    vm_id, volume = running(one), ready_volume(one)
    one.sandbox.faults.add("one.vm.attach:nth=1:driver=fails")
    one.call("one.vm.attach", vm_id, f"DISK = [ IMAGE_ID = {volume} ]")
    assert one.place(vm_id) == "3/17"
    one.step(1)
    assert (one.place(vm_id), len(one.vm(vm_id).findall("TEMPLATE/DISK"))) == ("3/3", 1)
    assert (one.image_state(volume), one.vm(vm_id).find("USER_TEMPLATE/ERROR")) == ("1", None)


def test_a_detach_that_fails_leaves_the_disk(one: Client) -> None:
    vm_id, volume = running(one), ready_volume(one)
    one.call("one.vm.attach", vm_id, f"DISK = [ IMAGE_ID = {volume} ]")
    one.step(1)
    one.sandbox.faults.add("one.vm.detach:driver=fails")
    one.call("one.vm.detach", vm_id, 1)
    one.step(1)
    assert (one.image_state(volume), len(one.vm(vm_id).findall("TEMPLATE/DISK"))) == ("8", 2)


@pytest.mark.parametrize(
    ("rule", "ends"), [("shutdown", "3/3"), ("fails", "3/3"), ("epilog", "3/40"), ("hangs", "3/12")]
)
def test_a_termination_that_fails(one: Client, rule: str, ends: str) -> None:
    vm_id = running(one)
    one.sandbox.faults.add(f"one.vm.action:nth=1:driver={rule}")
    one.call("one.vm.action", "terminate-hard", vm_id)
    one.step(20)
    assert one.place(vm_id) == ends


@pytest.mark.parametrize(("rule", "ends"), [("prolog", "3/39"), ("boot", "3/36"), ("fails", "3/39")])
def test_a_start_that_fails(one: Client, rule: str, ends: str) -> None:
    one.sandbox.faults.add(f"one.vm.allocate:driver={rule}")
    vm_id = one.call("one.vm.allocate", VM)
    one.step(20)
    assert one.place(vm_id) == ends
    assert one.vm(vm_id).findtext("USER_TEMPLATE/ERROR")
    one.call("one.vm.action", "terminate-hard", vm_id)
    one.step(5)
    assert one.place(vm_id) == "6/0"


def test_an_image_that_fails_and_one_that_stays_locked(one: Client) -> None:
    one.sandbox.faults.add("one.image.allocate:nth=1:driver=fails")
    one.sandbox.faults.add("one.image.allocate:nth=2:driver=hangs")
    failed = one.call("one.image.allocate", VOLUME, 1)
    locked = one.call("one.image.allocate", VOLUME.replace("data", "more"), 1)
    one.step(100)
    assert (one.image_state(failed), one.image_state(locked)) == ("5", "4")


def test_the_control_locks_images_and_fills_datastores(one: Client) -> None:
    volume = ready_volume(one)
    for path, body in {
        "images/state": {"location": "sandbox", "id": volume, "state": 4},
        "datastores/free": {"location": "sandbox", "id": 1, "free_mb": 0},
    }.items():
        url = f"{one.sandbox.control_url}{path}"
        request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        urlopen(request).close()
    assert one.image_state(volume) == "4"
    code, text = one.refused("one.image.allocate", VOLUME.replace("data", "more"), 1)
    assert (code, text) == (2048, "[one.image.allocate] Not enough space in datastore")


def test_a_pending_vm_says_why() -> None:
    with Sandbox(
        cloud="opennebula-6.10", users={"demo": "demo-pass"}, boot_seconds=0, host_capacity=(1, 1024)
    ) as sandbox:
        one = Client(sandbox)
        vm_id = one.call("one.vm.allocate", VM.replace("CPU = 1", "CPU = 2"))
        message = one.vm(vm_id).findtext("USER_TEMPLATE/SCHED_MESSAGE", "")
        assert message.endswith("No host with enough capacity to deploy the VM")
        assert one.place(vm_id) == "1/0"


def test_both_kinds_of_clouds_side_by_side() -> None:
    with Sandbox(locations=["paris", "lyon:opennebula-7.4"], users={"demo": "demo-pass"}) as sandbox:
        assert sandbox.endpoints["lyon"] == {"endpoint": f"{sandbox.url}/lyon/RPC2"}
        assert len(sandbox.endpoints["paris"]) == 3
        assert "default_network = public" in sandbox.config_file.read_text(encoding="utf-8")
        assert Client(sandbox, "lyon").call("one.system.version") == "7.4.0"
        with urlopen(sandbox.url) as page:
            assert "debian-12" in page.read().decode()


@pytest.mark.parametrize("location", ["lyon:opennebula-4.14", "lyon:"])
def test_a_kind_that_does_not_exist(location: str) -> None:
    if location.endswith(":"):
        Sandbox(locations=[location])
        return
    with pytest.raises(
        ValueError, match=r"'opennebula-4.14' is no kind of cloud; give stratuslab, opennebula-5"
    ):
        Sandbox(locations=[location])


def test_all_of_it_outlives_a_restart(tmp_path: Path) -> None:
    def new_sandbox() -> Sandbox:
        return Sandbox(
            cloud="opennebula-6.10",
            users={"demo": "demo-pass"},
            boot_seconds=0,
            state_file=tmp_path / "state",
        )

    with new_sandbox() as sandbox:
        one = Client(sandbox)
        vm_id = one.call("one.vm.allocate", VM)
        volume = one.call("one.image.allocate", VOLUME, 1)
        one.image_state(volume)
        one.call("one.vm.attach", vm_id, f"DISK = [ IMAGE_ID = {volume} ]")
        one.place(vm_id)
        one.call("one.vm.disksnapshotcreate", vm_id, 1, "before")
        token = one.call("one.user.login", "demo", "", 3600, -1)
        before = [one.call("one.vm.info", vm_id), one.call("one.image.info", volume)]
    with new_sandbox() as sandbox:
        one = Client(sandbox)
        assert [one.call("one.vm.info", vm_id), one.call("one.image.info", volume)] == before
        by_token: Any = one.proxy.one.vmpool.info(f"demo:{token}", -3, -1, -1, -1)
        assert by_token[0] is True
        assert one.call("one.vm.allocate", VM) == vm_id + 1


def test_answers_close_the_connection(one: Client) -> None:
    body = b"<methodCall><methodName>system.listMethods</methodName></methodCall>"
    with urlopen(Request(one.sandbox.endpoints["sandbox"]["endpoint"], body)) as answer:
        assert answer.headers["Connection"] == "close"
        assert b"one.vmpool.infoextended" in answer.read()


def test_the_documentation_names_the_methods_that_are_refused(one: Client) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    section = text.partition("These methods exist")[2].partition("##")[0]
    assert {*re.findall(r"`(one\.[a-z]+\.[a-z_]+)`", section)} == NOT_OFFERED.keys()
    assert one.refused("one.vm.migrate", 0, 0, True, False, 0, 0) == (
        8192,
        "[one.vm.migrate] The sandbox does not do this.",
    )


def test_each_release_has_its_own_methods(one: Client) -> None:
    names: Any = one.proxy.system.listMethods()
    release = one.call("one.system.version").partition(".")[0]
    assert ("one.vm.backup" in names, "one.vm.exec" in names) == (release != "5", release == "7")
    if release == "5":
        with pytest.raises(Fault, match=r"Method 'one\.vm\.backup' not defined"):
            one.call("one.vm.backup", 0, 0, False)


def test_any_name_of_a_user_is_well_formed() -> None:
    with Sandbox(cloud="opennebula-7.4", users={"a&b <c>": "x"}, boot_seconds=0) as sandbox:
        oned = sandbox.opennebula("sandbox").oned
        vm_id = int(oned.call("one.vm.allocate", ["a&b <c>:x", VM])[1])
        assert ElementTree.fromstring(oned.document(vm_id)).findtext("UNAME") == "a&b <c>"
        user = str(oned.call("one.user.info", ["a&b <c>:x", -1])[1])
        assert ElementTree.fromstring(user).findtext("NAME") == "a&b <c>"
