"""Compressed answers: each time that one is compressed it may become a thousand times larger in memory."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import MalformedAnswerError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.libcloud.conftest import ScriptedServer

    Serve = Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer]


def compressed(body: bytes, times: int, how: str) -> bytes:
    for _ in range(times):
        body = gzip.compress(body)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{how}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_an_answer_may_be_compressed_once(serve: Serve) -> None:
    server = serve(compressed(b"[]", 1, "Content-Encoding: gzip"))
    assert StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5).list_volumes() == []


@pytest.mark.parametrize(
    "how",
    ["Content-Encoding: gzip, gzip", "Content-Encoding: gzip\r\nContent-Encoding: gzip"],
    ids=["one header", "two headers"],
)
@pytest.mark.parametrize("method", ["list_volumes", "list_nodes", "list_images"])
def test_an_answer_that_is_compressed_twice_is_refused(serve: Serve, method: str, how: str) -> None:
    server = serve(compressed(b"[]" * 1000, 2, how))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(MalformedAnswerError, match="compressed more than once"):
        getattr(driver, method)()
