from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

import pytest

from tests.sandbox.conftest import DISKS, FORM, LOGIN, ONED, PROXY

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox import Sandbox
    from tests.sandbox.conftest import Client

ALLOCATE, CREATE = "one.vm.allocate", "POST /disks/"
EMPTY = "<VM_POOL></VM_POOL>"


def test_without_faults_nothing_goes_wrong(client: Client, sandbox: Sandbox) -> None:
    assert client.allocate().values == [True, 0, 0]
    assert sandbox.request_log[0].faults == ()


@pytest.mark.parametrize(("rule", "effect"), [("cut-before", False), ("cut-after", True)])
def test_cut_without_an_answer(client: Client, sandbox: Sandbox, rule: str, effect: bool) -> None:
    sandbox.faults.add(f"{ALLOCATE}:{rule}")
    sandbox.faults.add(f"{CREATE}:{rule}")
    with pytest.raises(http.client.RemoteDisconnected):
        client.allocate()
    with pytest.raises(http.client.RemoteDisconnected):
        client.create_disk()
    assert (client.vms() != EMPTY) is effect
    assert len(client.disks()) == effect
    assert [(entry.status, entry.faults) for entry in sandbox.request_log[:2]] == [
        (0, (f"{ALLOCATE}:{rule}",)),
        (0, (f"{CREATE}:{rule}",)),
    ]


@pytest.mark.parametrize("rule", ["cut-before", "cut-after", "cut-at=20"])
def test_cut_of_a_connection_which_was_kept(client: Client, sandbox: Sandbox, rule: str) -> None:
    client.vms()
    kept = client.connection.sock
    client.vms()
    assert client.connection.sock is kept
    sandbox.faults.add(f"{ALLOCATE}:{rule}")
    with pytest.raises(http.client.HTTPException) as caught:
        client.allocate()
    assert isinstance(caught.value, (http.client.RemoteDisconnected, http.client.IncompleteRead))
    with suppress(OSError):
        assert kept.recv(1) == b""
    client.connection.close()
    client.vms()
    ports = [entry.connection for entry in sandbox.request_log]
    assert ports[0] == ports[1] == ports[2] != ports[3]


@pytest.mark.parametrize("allowed", [0, 1, 100])
def test_cut_in_the_middle(client: Client, sandbox: Sandbox, allowed: int) -> None:
    whole = len(client.allocate("web").body)
    sandbox.faults.add(f"{ALLOCATE}:cut-at={allowed}")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.allocate("db")
    assert (len(caught.value.partial), caught.value.expected) == (allowed, whole - allowed)
    client.connection.close()
    assert "<ID>1</ID>" in client.vms()
    assert sandbox.request_log[1].status == 200


def test_cut_before_the_last_byte_at_the_latest(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(f"{CREATE}:cut-at=1000000")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.create_disk()
    assert caught.value.expected == 1
    client.connection.close()
    assert len(client.disks()) == 1


def test_cut_answer_says_nothing_of_the_cut(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults.add("*:cut-at=3")
    fields = {"Host": "localhost", "Authorization": LOGIN, "Accept": "application/json"}
    lines = [f"GET {DISKS} HTTP/1.1", *map(": ".join, fields.items()), "", ""]
    with socket.create_connection(("127.0.0.1", client.connection.port), timeout=10) as raw:
        raw.sendall("\r\n".join(lines).encode() * 2)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection:" not in head
    assert len(body) < int(dict(line.split(b": ") for line in head.split(b"\r\n")[1:])[b"Content-Length"])
    assert len(sandbox.request_log) == 1


def test_status(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:status=503:retry-after=7")
    for answer in (client.allocate(), client.create_disk()):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        assert answer.headers["Content-Type"] == "text/html; charset=ISO-8859-1"
        assert b"<pre>    Service Unavailable</pre>" in answer.body
    sandbox.faults.clear()
    assert (client.vms(), client.disks()) == (EMPTY, [])
    assert [entry.status for entry in sandbox.request_log[:2]] == [503, 503]


def test_status_with_a_body(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:status=200:type=text/html; charset=utf-8:text=<p>Café: log in")
    answer = client.create_disk()
    assert (answer.status, answer.body.decode()) == (200, "<p>Café: log in")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Retry-After"] is None


def test_status_after_the_request_took_effect(client: Client, sandbox: Sandbox) -> None:
    """A gateway's time-out: it says no, the service behind it does it all the same."""
    sandbox.faults.add(f"{CREATE}:status=504:carried-out:text=late")
    answer = client.create_disk()
    assert (answer.status, answer.body) == (504, b"late")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(client.disks()) == 1


@pytest.mark.parametrize("path", [PROXY, ONED])
def test_error_of_opennebula(client: Client, sandbox: Sandbox, path: str) -> None:
    sandbox.faults.add(f"{ALLOCATE}:nth=1:error=8192:text=[VirtualMachineAllocate] No: <disk> & co")
    allocate = ("one.vm.allocate", "CPU = 1")
    expected = [False, "[VirtualMachineAllocate] No: <disk> & co", 8192]
    assert client.call(*allocate, path=path).values == expected
    assert client.call(*allocate, path=path).values == [True, 0, 0]


@pytest.mark.parametrize(
    ("path", "string"),
    [(PROXY, b"<value>no more</value>"), (ONED, b"<value><string>no more</string></value>")],
)
def test_fault_of_xmlrpc(client: Client, sandbox: Sandbox, path: str, string: bytes) -> None:
    sandbox.faults.add("one.vm.info:xmlrpc-fault=-501:text=no more")
    answer = client.call("one.vm.info", 0, path=path)
    assert answer.status == 200
    assert string in answer.body
    with pytest.raises(xmlrpc.client.Fault) as caught:
        _ = answer.values
    assert (caught.value.faultCode, caught.value.faultString) == (-501, "no more")


def test_error_of_opennebula_is_compressed_like_any_answer(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:error=8192")
    answer = client.call("one.vm.info", 0, Accept_Encoding="gzip")
    assert b"<value>Fault on purpose</value>" in gzip.decompress(answer.body)


def test_error_of_opennebula_is_for_calls_only(client: Client, sandbox: Sandbox) -> None:
    fault = sandbox.faults.add("*:error=8192")
    assert client.create_disk().status == 201
    assert fault.matched == 0
    assert client.allocate().values == [False, "Fault on purpose", 8192]


def test_redirect(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(f"{CREATE}:redirect=https://127.0.0.1:1/a?b=c")
    answer = client.create_disk()
    assert (answer.status, answer.headers["Location"]) == (302, "https://127.0.0.1:1/a?b=c")
    assert client.disks() == []


def test_garbage(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:sequence=fail,fail:garbage")
    call = client.call("one.vm.allocate", "CPU = 1", Accept_Encoding="gzip")
    assert (call.status, call.headers["Content-Encoding"]) == (200, None)
    with pytest.raises(UnicodeDecodeError):
        call.body.decode()
    with pytest.raises(ExpatError):
        _ = call.values
    created = client.create_disk()
    assert (created.status, created.headers["Content-Type"]) == (201, "application/json; charset=UTF-8")
    with pytest.raises(ValueError, match=r"."):
        json.loads(created.body)
    assert client.vms() != EMPTY
    assert len(client.disks()) == 1


def test_wrong_content_type(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(f"{CREATE}:content-type=image/png")
    answer = client.create_disk()
    assert (answer.status, answer.headers["Content-Type"]) == (201, "image/png")
    assert [disk["uuid"] for disk in client.disks()] == [json.loads(answer.body)["uuid"]]


@pytest.mark.parametrize(("rule", "effect"), [("delay=600", False), ("delay=600:carried-out", True)])
def test_delay(
    sandbox: Sandbox, connect: Callable[[], Client], rule: str, effect: bool, held: Callable[[], None]
) -> None:
    """The request is held up, before or after its effect, and goes on when the sandbox is stopped."""
    sandbox.faults.add(f"{ALLOCATE}:{rule}")
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(connect().allocate)
        held()
        assert (connect().vms() != EMPTY) is effect
        assert not answer.done()
        sandbox.stop()
        assert answer.result(10).values == [True, 0, 0]
    sandbox.start()
    assert connect().vms() != EMPTY


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Wait until a request is held up."""
    entered = threading.Event()
    wait = threading.Event.wait

    def announced(self: threading.Event, timeout: float | None = None) -> bool:
        if timeout == 600:
            entered.set()
        return wait(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", announced)

    def until_held() -> None:
        assert wait(entered, 10)

    return until_held


def test_delay_in_real_time(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:delay=0.01")
    assert client.allocate().values == [True, 0, 0]
    assert sandbox.clock.now() == 1_400_000_000.0


def test_delay_which_the_client_does_not_wait_for(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(f"{ALLOCATE}:delay=600")
    client.connection.timeout = 0.05
    with pytest.raises(TimeoutError):
        client.allocate()


def test_faults_stand_before_one_another(client: Client, sandbox: Sandbox) -> None:
    first = sandbox.faults.add(f"{CREATE}:cut-after")
    second = sandbox.faults.add(f"{CREATE}:status=503")
    with pytest.raises(http.client.RemoteDisconnected):
        client.create_disk()
    assert client.disks() == []
    assert (first.fired, second.fired) == (1, 1)
    assert sandbox.request_log[0].faults == (str(first.fault), str(second.fault))
    sandbox.faults.clear()
    sandbox.faults.add(f"{CREATE}:content-type=a/b")
    sandbox.faults.add(f"{CREATE}:garbage")
    answer = client.create_disk()
    assert (answer.headers["Content-Type"], answer.body[:2]) == ("a/b", b"\xff\xfe")


def test_the_first_cut_counts(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(f"{CREATE}:cut-at=5")
    sandbox.faults.add(f"{CREATE}:cut-before")
    with pytest.raises(http.client.RemoteDisconnected):
        client.create_disk()


def test_fault_at_one_location(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*@lyon:status=500")
    assert client.create_disk().status == 201
    assert client.request("POST", DISKS.replace("paris", "lyon"), b"size=1", **FORM).status == 500
    assert client.request("GET", "/lyon/marketplace/metadata").status == 500
    assert client.request("GET", "/paris/marketplace/metadata").status == 200


def test_fault_comes_before_the_password_is_looked_at(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:nth=2:status=502")
    statuses = [client.request("GET", DISKS, Authorization="").status for _ in range(3)]
    assert statuses == [401, 502, 401]


def test_refusal_of_a_request_can_be_cut_too(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("*:cut-at=4")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.request("GET", DISKS, Authorization="")
    assert caught.value.partial == b"<htm"


def test_seed_makes_the_same_requests_fail(client: Client, sandbox: Sandbox) -> None:
    def statuses(seed: int) -> list[int]:
        sandbox.faults.clear()
        sandbox.faults.add(f"*:probability=0.5:seed={seed}:status=503")
        return [client.request("GET", DISKS).status for _ in range(40)]

    first = statuses(1)
    assert set(first) == {200, 503}
    assert first == statuses(1) != statuses(2)


def test_faults_under_many_clients(sandbox: Sandbox, connect: Callable[[], Client]) -> None:
    """Of 80 creates, every fourth is lost on the way and every fourth on the way back."""
    before = sandbox.faults.add(f"{CREATE}:cycle=ok,ok,ok,fail:cut-before")
    after = sandbox.faults.add(f"{CREATE}:cycle=ok,fail,ok,ok:cut-after")
    clients = [connect() for _ in range(8)]

    def create(client: Client) -> int:
        made = 0
        for _ in range(10):
            with suppress(http.client.RemoteDisconnected):
                made += client.create_disk().status == 201
        return made

    with ThreadPoolExecutor(8) as executor:
        acknowledged = sum(executor.map(create, clients))
    assert (before.fired, after.fired, acknowledged) == (20, 20, 40)
    assert len(clients[0].disks()) == 60
