"""Where the Marketplace sends its readers."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ServiceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer
    from tests.libcloud.transport.conftest import Authority, Gate


def redirect(url: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


def test_another_host_is_asked_by_its_own_name(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    there = gate(sandbox.url)
    target = there.url.replace("127.0.0.1", "localhost")
    server = serve(redirect(f"{target}/here/marketplace/metadata"))
    driver = driver_at(sandbox.url, marketplace_endpoint=server.url)

    assert driver.list_images()
    assert there.seen[-1].headers["Host"] == target.partition("//")[2]


def test_https_is_not_left_for_http(
    sandbox: Sandbox,
    gate: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    authority: Authority,
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    server = serve(redirect(f"{sandbox.url}/here/marketplace/metadata"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    secure = gate(server.url, context)
    driver = driver_at(sandbox.url, marketplace_endpoint=secure.url, ca_certificate=authority.file)

    with pytest.raises(ServiceError, match="redirects elsewhere"):
        driver.list_images()
    assert len(sandbox.request_log) == 0
