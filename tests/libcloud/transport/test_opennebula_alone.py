"""An OpenNebula front end without StratusLab's proxy before it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ConfigurationError, CredentialsError, MalformedAnswerError, ServiceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer
    from tests.libcloud.transport.conftest import Gate


@pytest.fixture
def cloud(gate: Callable[..., Gate], sandbox: Sandbox) -> Gate:
    return gate(sandbox.url)


def test_the_session_is_user_and_password(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    sandbox: Sandbox,
) -> None:
    use(driver_at(cloud.url, endpoint=f"{cloud.url}/here/RPC2"))

    compute = [seen for seen in cloud.seen if seen.target == "/here/RPC2"]
    assert [request.operation for request in sandbox.request_log if request.service == "compute"] == [
        "one.system.version",
        "one.vm.allocate",
        "one.vm.info",
        "one.vmpool.info",
    ]
    assert len(compute) == 4
    assert all(b">demo:demo-pass<" in seen.body for seen in compute)
    assert [seen.headers["Authorization"] for seen in compute] == [None] * 4


def test_every_request_has_a_connection_of_its_own(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], sandbox: Sandbox
) -> None:
    driver = driver_at(cloud.url, endpoint=f"{cloud.url}/here/RPC2")
    for _ in range(3):
        driver.list_nodes()
    driver.list_volumes()
    driver.list_volumes()

    compute = [seen for seen in cloud.seen if seen.target == "/here/RPC2"]
    pdisk = [seen for seen in cloud.seen if "/pdisk/" in seen.target]
    assert [seen.headers["Connection"] for seen in compute] == ["close"] * 4
    assert len({seen.client_port for seen in compute}) == 4
    assert len({seen.client_port for seen in pdisk}) == 1


@pytest.mark.parametrize("body", [b"<methodResponse/>", b"garbage"])
def test_no_idle_connection_is_kept_even_if_the_server_would(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    driver_at: Callable[..., StratusLabNodeDriver],
    body: bytes,
) -> None:
    hung_up = threading.Event()

    def answer_and_stay(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        if connection.recv(1) == b"":
            hung_up.set()

    server = serve(answer_and_stay)
    driver = driver_at(server.url, endpoint=f"{server.url}/RPC2")
    with pytest.raises(MalformedAnswerError):
        driver.list_nodes()

    assert hung_up.wait(10)


def test_a_wrong_password(cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver]) -> None:
    driver = driver_at(cloud.url, endpoint=f"{cloud.url}/here/RPC2", password="wrong")

    with pytest.raises(CredentialsError) as caught:
        driver.list_nodes()
    assert "wrong" not in str(caught.value)


def test_the_session_follows_no_redirect(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    driver_at: Callable[..., StratusLabNodeDriver],
) -> None:
    elsewhere = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
    server = serve(head.encode())

    with pytest.raises(ServiceError, match="redirects elsewhere"):
        driver_at(server.url, endpoint=f"{server.url}/RPC2").list_nodes()
    assert elsewhere.received == []


def test_there_are_no_volumes_where_no_address_is_given_for_them(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver]
) -> None:
    driver = driver_at(cloud.url, endpoint=f"{cloud.url}/here/RPC2", pdisk_endpoint="")

    assert driver.list_nodes() == []
    with pytest.raises(ConfigurationError, match="key pdisk_endpoint: is missing"):
        driver.list_volumes()
