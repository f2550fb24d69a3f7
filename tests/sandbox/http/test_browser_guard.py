from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.conftest import DISKS, FORM, ONED, PROXY

if TYPE_CHECKING:
    from stratuslab.sandbox import Sandbox
    from tests.sandbox.conftest import Answer, Client

EVERYWHERE = ["/", "/_sandbox/state", DISKS, PROXY, "/paris/marketplace/metadata", "/nothing"]
RULE = json.dumps({"rule": "*:garbage"}).encode()


def add_fault(client: Client, **headers: str) -> Answer:
    return client.request("POST", "/_sandbox/faults", RULE, **headers)


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost.evil.example:{port}",
        "evil.example:80#@127.0.0.1",
        "127.0.0.2",
        "0.0.0.0:{port}",
        "[::2]",
        "",
        "127.0.0.1:{port}, evil.example",
    ],
)
def test_another_host_is_refused_everywhere(client: Client, sandbox: Sandbox, path: str, host: str) -> None:
    answer = client.request("GET", path, Host=host.format(port=client.connection.port))
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert answer.body == b"This server is only 127.0.0.1, localhost or [::1].\n"
    assert not sandbox.request_log


def test_what_is_refused_has_no_effect(client: Client, sandbox: Sandbox) -> None:
    assert add_fault(client, Content_Type="application/json", Host="evil.example").status == 403
    fault = sandbox.faults.add("*:cut-before")
    assert client.request("GET", DISKS, Host="evil.example").status == 403
    assert [active.id for active in sandbox.faults] == [fault.id]
    assert fault.matched == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:{port}", "localhost", "LocalHost:{port}", "[::1]", "[::1]:1", "localhost:"],
)
def test_names_of_this_machine(client: Client, host: str) -> None:
    host = host.format(port=client.connection.port)
    assert client.request("GET", DISKS, Host=host).status == 200
    assert add_fault(client, Content_Type="application/json", Host=host).status == 201


def test_two_hosts_are_refused(client: Client) -> None:
    port = client.connection.port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert raw.makefile("rb").readline() == b"HTTP/1.1 403 Forbidden\r\n"


def test_client_which_names_no_host(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.connection.port), timeout=10) as raw:
        raw.sendall(b"GET /_sandbox/state HTTP/1.0\r\n\r\n")
        assert raw.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain; application/json",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/faults"),
        ("DELETE", "/faults"),
        ("DELETE", "/faults/1"),
        ("DELETE", "/log"),
        ("POST", "/clock"),
        ("POST", "/vms/fail"),
    ],
)
def test_change_needs_json(
    client: Client, sandbox: Sandbox, method: str, path: str, content_type: str
) -> None:
    """What a page may send to anybody without asking is no JSON."""
    sandbox.faults.add("one.vm.info:garbage")
    client.vms()
    answer = client.request(method, f"/_sandbox{path}", RULE, Content_Type=content_type)
    assert answer.status == 415
    assert (len(sandbox.faults), len(sandbox.request_log)) == (1, 1)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1.evil.example:{port}",
        "http://127.0.0.1:1",
        "http://localhost",
        "null",
        "",
    ],
)
def test_change_for_a_foreign_page(client: Client, sandbox: Sandbox, origin: str) -> None:
    origin = origin.format(port=client.connection.port)
    answer = add_fault(client, Content_Type="application/json", Origin=origin)
    assert (answer.status, answer.body) == (403, b"This is only for pages of this server.\n")
    assert not sandbox.faults


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [*EVERYWHERE, ONED])
def test_a_foreign_page_is_refused_everywhere(
    client: Client, sandbox: Sandbox, path: str, method: str
) -> None:
    answer = client.request(method, path, b"size=1", Origin="http://evil.example", **FORM)
    assert (answer.status, answer.body) == (403, b"This is only for pages of this server.\n")
    assert not sandbox.request_log
    assert client.disks() == []


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}"])
def test_change_for_a_page_of_our_own(client: Client, host: str) -> None:
    host = host.format(port=client.connection.port)
    answer = add_fault(client, Content_Type="application/json", Host=host, Origin=f"http://{host}")
    assert answer.status == 201


def test_foreign_page_is_not_told_that_it_may(client: Client) -> None:
    """The question which a browser asks before it sends JSON for a page of somebody else's."""
    answer = client.request(
        "OPTIONS",
        "/_sandbox/faults",
        Origin="http://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert answer.status == 403
    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []
