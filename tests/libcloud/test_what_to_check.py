"""What an error says to check when there is no connection."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import AnswerLostError, UnreachableError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.libcloud.conftest import ScriptedServer


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


def driver_at(endpoint: str, more: str = "") -> StratusLabNodeDriver:
    text = f"[default]\nusername = demo\npassword = x\nendpoint = {endpoint}\n{more}\n"
    return StratusLabNodeDriver(stratuslab_user_config=io.StringIO(text), timeout=2)


def test_a_refused_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        driver = driver_at(f"http://127.0.0.1:{taken.getsockname()[1]}/xmlrpc")
        with pytest.raises(
            UnreachableError, match=r"; check that the service runs, and its port in .*default"
        ):
            driver.list_nodes()


def test_http_spoken_to_an_https_port(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    """A server of TLS answers what it cannot read with an alert."""
    server = serve(b"\x15\x03\x01\x00\x02\x02\x16")
    with pytest.raises(AnswerLostError, match="if the service speaks https, write https in its address"):
        driver_at(f"{server.url}/xmlrpc").list_nodes()


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_an_unknown_host(scheme: str, port: int) -> None:
    """No name of a host ends in .invalid, on no network."""
    driver = driver_at(f"{scheme}://one.example.invalid/xmlrpc", "allow_plain_http = true")
    with pytest.raises(
        UnreachableError,
        match=rf"no connection to one\.example\.invalid:{port}: .*; check the name of the host in .*default",
    ):
        driver.list_nodes()
