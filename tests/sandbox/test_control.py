from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.sandbox import Sandbox
from tests.sandbox.conftest import DISKS, FORM, LOGIN

if TYPE_CHECKING:
    from tests.sandbox.conftest import Answer, Client

CONTROL = "/_sandbox"
VM = {"id": 0, "name": "web", "owner": "demo", "state": 1, "lcm_state": 0}


def get(client: Client, path: str) -> Any:
    answer = client.request("GET", CONTROL + path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def send(client: Client, method: str, path: str, body: object = None) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return client.request(method, CONTROL + path, content, Content_Type="application/json")


def test_state(client: Client, sandbox: Sandbox) -> None:
    client.allocate("web")
    uuid = client.create_disk().json["uuid"]
    client.request("POST", f"{DISKS}{uuid}/mounts/", b"node=n&vm_id=0", **FORM)
    state = get(client, "/state")
    assert [*state] == ["now", "locations"]
    assert state["now"] == 1_400_000_000.0
    assert [*state["locations"]] == ["paris", "lyon"]
    paris = state["locations"]["paris"]
    assert paris["vms"] == [VM]
    assert paris["volumes"] == [{"uuid": uuid, "tag": "", "owner": "demo", "size_gib": 1, "vms": ["0"]}]
    entries = sandbox.location("paris").catalogue.entries()
    assert paris["images"] == [entry.identifier for entry in entries]
    assert state["locations"]["lyon"]["vms"] == state["locations"]["lyon"]["volumes"] == []


def test_state_is_that_of_now(client: Client, sandbox: Sandbox) -> None:
    client.allocate("web")
    sandbox.clock.step(8)
    assert get(client, "/state")["locations"]["paris"]["vms"] == [{**VM, "state": 3, "lcm_state": 3}]
    client.call("one.vm.action", "finalize", 0)
    sandbox.clock.step(8)
    assert get(client, "/state")["locations"]["paris"]["vms"] == []


def test_log(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("POST /disks/:status=503")
    client.allocate()
    client.create_disk()
    allocated, created = get(client, "/log")
    assert allocated == {
        "service": "compute",
        "operation": "one.vm.allocate",
        "location": "paris",
        "status": 200,
        "connection": client.connection.sock.getsockname()[1],
        "faults": [],
    }
    assert (created["status"], created["faults"]) == (503, ["POST /disks/:status=503"])
    assert send(client, "DELETE", "/log").json == []
    assert get(client, "/log") == []
    assert not sandbox.request_log


def test_control_is_not_in_the_log(client: Client, sandbox: Sandbox) -> None:
    get(client, "/state")
    send(client, "POST", "/faults", {"rule": "*:garbage"})
    assert isinstance(get(client, "/faults"), list)
    assert not sandbox.request_log


def test_faults(client: Client, sandbox: Sandbox) -> None:
    added = send(client, "POST", "/faults", {"rule": "POST /disks/@paris:nth=2:status=503"})
    first = {"id": 1, "rule": "POST /disks/@paris:nth=2:status=503", "matched": 0, "fired": 0}
    assert (added.status, added.json) == (201, first)
    second = send(client, "POST", "/faults", {"rule": "*@lyon:cut-after"}).json
    assert [client.create_disk().status for _ in range(3)] == [201, 503, 201]
    first |= {"matched": 3, "fired": 1}
    assert get(client, "/faults") == [first, second]
    assert send(client, "DELETE", "/faults/2").json == [first]
    assert send(client, "DELETE", "/faults/2").status == 404
    assert send(client, "DELETE", "/faults").json == get(client, "/faults") == []
    assert not sandbox.faults


@pytest.mark.parametrize("rule", ["", "nonsense", "*:nth=0:garbage", "*@nowhere:garbage"])
def test_rule_which_is_none(client: Client, sandbox: Sandbox, rule: str) -> None:
    answer = send(client, "POST", "/faults", {"rule": rule})
    assert answer.status == 400
    with pytest.raises(ValueError, match=r".") as caught:
        sandbox.faults.add(rule)
    assert answer.json == {"error": str(caught.value)}
    assert not sandbox.faults


def test_clock(client: Client) -> None:
    with Sandbox() as running:
        other = type(client)(running.url)
        stopped = send(other, "POST", "/clock", {"stop": True}).json["now"]
        assert running.clock.now() == stopped
        assert send(other, "POST", "/clock", {"step": 2.5}).json == {"now": stopped + 2.5}
        assert send(other, "POST", "/clock", {}).json == {"now": stopped + 2.5}
        other.connection.close()


@pytest.mark.parametrize("step", [-1, "1", None, float("nan"), float("inf")])
def test_step_which_is_none(client: Client, sandbox: Sandbox, step: object) -> None:
    answer = send(client, "POST", "/clock", {"stop": True, "step": step})
    assert answer.status == 400
    assert answer.json == {"error": '"step" is a number of seconds from 0 upwards.'}
    assert sandbox.clock.now() == 1_400_000_000.0


def test_failure_of_a_vm(client: Client, sandbox: Sandbox) -> None:
    client.allocate("web")
    message = "the <disk> is full"
    answer = send(client, "POST", "/vms/fail", {"location": "paris", "id": 0, "message": message})
    assert (answer.status, answer.json["vms"]) == (200, [{**VM, "state": 7}])
    assert f"<MESSAGE><![CDATA[{message}]]></MESSAGE>" in sandbox.location("paris").oned.document(0)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"location": "lyon"}, 404, "There is no VM 0 at lyon."),
        ({"location": "rome"}, 404, "There is no location 'rome'."),
        ({"id": 1}, 404, "There is no VM 1 at paris."),
        ({"id": "0"}, 400, '"id" is missing, or of the wrong type.'),
        ({"id": False}, 400, '"id" is missing, or of the wrong type.'),
        ({"message": None}, 400, '"message" is missing, or of the wrong type.'),
    ],
)
def test_failure_of_no_vm(client: Client, change: dict[str, object], status: int, reason: str) -> None:
    client.allocate("web")
    answer = send(client, "POST", "/vms/fail", {"location": "paris", "id": 0, "message": "x", **change})
    assert (answer.status, answer.json) == (status, {"error": reason})
    assert get(client, "/state")["locations"]["paris"]["vms"] == [VM]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("path", ["/faults", "/clock", "/vms/fail"])
def test_body_which_is_no_object(client: Client, path: str, body: bytes) -> None:
    answer = client.request("POST", CONTROL + path, body, Content_Type="application/json; charset=utf-8")
    assert (answer.status, answer.json) == (400, {"error": "The body is no JSON object."})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/faults/1", 405),
        ("DELETE", "/faults/x", 404),
        ("POST", "/state", 405),
        ("GET", "/clock", 405),
        ("PUT", "/faults", 405),
    ],
)
def test_nothing_there(client: Client, method: str, path: str, status: int) -> None:
    answer = send(client, method, path)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"]
    assert ("Allow" in answer.headers) is (status == 405)


def test_slash_at_the_end_does_no_harm(client: Client) -> None:
    assert get(client, "/state/") == get(client, "/state")
    assert get(client, "/faults/") == []


def test_control_url(sandbox: Sandbox, client: Client) -> None:
    assert sandbox.control_url == sandbox.url + "/_sandbox/"
    sandbox.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.control_url


def test_no_password_is_shown(client: Client) -> None:
    client.allocate("web")
    shown = json.dumps([get(client, path) for path in ("/state", "/log", "/faults")])
    assert "demo-pass" not in shown
    assert LOGIN not in shown
