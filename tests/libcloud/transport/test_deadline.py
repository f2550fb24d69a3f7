"""A request is over when its time is, whatever the server or a proxy does."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import (
    AnswerTimeoutError,
    ConnectTimeoutError,
    StratusLabError,
    UnreachableError,
    UnsettledError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer

TIMEOUT = 0.3
LONG = 10
"""Seconds that no busy machine makes of the time-out. What has no end of its own would take for ever."""


@pytest.fixture
def hasty(driver_at: Callable[..., StratusLabNodeDriver]) -> Callable[..., StratusLabNodeDriver]:
    return lambda url, **arguments: driver_at(url, {"timeout": TIMEOUT, **arguments})


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def seconds_until_error(kind: type[StratusLabError], call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(StratusLabError) as caught:
        call()
    assert type(caught.value) is kind
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b" "),
    ],
)
def test_an_answer_that_trickles(
    hasty: Callable[..., StratusLabNodeDriver],
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    head: bytes,
    drop: bytes,
) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.01)

    driver = hasty(serve(trickle).url)

    assert seconds_until_error(AnswerTimeoutError, driver.list_nodes) < LONG


def test_a_flood_of_answers_that_are_none(
    hasty: Callable[..., StratusLabNodeDriver],
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    assert seconds_until_error(AnswerTimeoutError, hasty(serve(flood).url).list_nodes) < LONG


def test_a_service_that_takes_a_request_slowly(
    hasty: Callable[..., StratusLabNodeDriver], sandbox: Sandbox
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stop = threading.Event()

        def sip() -> None:
            connection, _ = listener.accept()
            with connection:
                while not stop.wait(0.01) and connection.recv(512):
                    pass

        thread = threading.Thread(target=sip)
        thread.start()
        images = hasty(sandbox.url, timeout=LONG).list_images()
        driver = hasty(f"http://127.0.0.1:{listener.getsockname()[1]}")
        large = {"LARGE": "x" * 8_000_000}
        try:
            seconds = seconds_until_error(
                UnsettledError,
                lambda: driver.create_node("web", driver.list_sizes()[0], images[0], ex_context=large),
            )
        finally:
            stop.set()
            thread.join()

    assert seconds < LONG


def test_a_handshake_that_does_not_end(
    hasty: Callable[..., StratusLabNodeDriver], silent: str, sandbox: Sandbox
) -> None:
    """Nothing was sent, so nothing is looked for."""
    image = hasty(sandbox.url, timeout=LONG).list_images()[0]
    driver = hasty(f"https://{silent}")

    def create() -> object:
        return driver.create_node("web", driver.list_sizes()[0], image)

    assert seconds_until_error(ConnectTimeoutError, create) < LONG


def test_a_proxy_that_opens_no_tunnel_in_time(
    hasty: Callable[..., StratusLabNodeDriver],
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.01)

    driver = hasty("https://127.0.0.1:9", proxy_url=serve(trickle).url)

    assert seconds_until_error(ConnectTimeoutError, driver.list_nodes) < LONG


def test_a_connection_that_is_not_accepted(hasty: Callable[..., StratusLabNodeDriver]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address):
            driver = hasty(f"http://127.0.0.1:{address[1]}")
            assert seconds_until_error(ConnectTimeoutError, driver.list_nodes) < LONG


def test_threads_do_not_wait_for_each_other_beyond_their_time(
    hasty: Callable[..., StratusLabNodeDriver], silent: str
) -> None:
    driver = hasty(f"http://{silent}")
    failures: list[StratusLabError] = []

    def read() -> None:
        try:
            driver.list_nodes()
        except StratusLabError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(50)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert time.monotonic() - began < LONG
    assert [type(error) for error in failures].count(AnswerTimeoutError) >= 1
    assert all(isinstance(error, (AnswerTimeoutError, UnreachableError)) for error in failures)
