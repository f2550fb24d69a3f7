"""The connections of a driver: how many, for how long, and who closes them."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.sandbox import Sandbox


class Wire:
    """Hands bytes on to a server; connections that are silenced get nothing more, new ones do."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("/")[2].rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections: list[tuple[socket.socket, socket.socket]] = []
        self._silent: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self.connections.append((client, server))
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pour, args=pair, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pour(self, source: socket.socket, drain: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if source not in self._silent:
                    drain.sendall(data)
            drain.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def silence(self) -> None:
        """Let nothing more through on the connections that there are."""
        for pair in self.connections:
            self._silent.update(pair)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self.connections:
            for end in pair:
                end.close()


@pytest.fixture
def wire(sandbox: Sandbox) -> Iterator[Wire]:
    wire = Wire(sandbox.url)
    yield wire
    wire.stop()


def driver_through(wire: Wire, timeout: float) -> StratusLabNodeDriver:
    return StratusLabNodeDriver(
        "demo", "demo-pass", host=f"http://127.0.0.1:{wire.port}/here", timeout=timeout
    )


CALLS: dict[str, Callable[[Any], Any]] = {
    "list_nodes": lambda driver: driver.list_nodes(),
    "list_volumes": lambda driver: driver.list_volumes(),
    "list_images": lambda driver: driver.list_images(),
    "create_volume": lambda driver: driver.create_volume(1, "new"),
    "create_node": lambda driver: driver.create_node("web", driver.list_sizes()[0], IMAGE),
}
IMAGE: Any = None


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_connections_that_fell_silent_are_left(
    sandbox: Sandbox, wire: Wire, call: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = driver_through(wire, 1)
    monkeypatch.setattr("stratuslab.libcloud.stratuslab_driver.logger.warning", pytest.fail)
    globals()["IMAGE"] = driver.list_images()[0]
    driver.list_nodes(), driver.list_volumes()
    wire.silence()

    call(driver)
    assert len(driver.list_nodes()) == (call is CALLS["create_node"])
    assert len(sandbox.location("here").disks.disks("demo")) <= 1


def test_what_may_be_sent_only_once_has_a_new_connection(wire: Wire) -> None:
    driver = driver_through(wire, 10)
    driver.list_volumes()
    before = len(wire.connections)
    driver.list_volumes()
    assert len(wire.connections) == before

    driver.create_volume(1, "new")
    assert len(wire.connections) == before + 1


def test_requests_of_several_threads_go_side_by_side(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver]
) -> None:
    """Four at once: the fault holds each until four have come."""
    driver = driver_at(sandbox.url)
    fault = sandbox.faults.add("one.vmpool.info:delay=0.3")
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(driver.list_nodes) for _ in range(8)]
        most = 0
        while not all(future.done() for future in waiting):
            most = max(most, fault.matched - len(sandbox.request_log))
            threading.Event().wait(0.01)
    assert [future.result() for future in waiting] == [[]] * 8
    assert most == 4


def test_a_driver_that_is_closed_has_no_connection(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
) -> None:
    before = sockets()
    with driver_at(sandbox.url) as driver:
        use(driver)
        assert sockets() - before
    assert not sockets() - before

    use(driver)
    driver.close()
    assert not sockets() - before


def test_a_driver_that_is_dropped_gives_its_sockets_back(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
) -> None:
    gc.collect()
    gc.disable()
    try:
        before = sockets()
        driver = driver_at(sandbox.url)
        use(driver)
        node = driver.list_nodes()[0]
        assert node.location.driver is driver
        del driver, node
        assert not sockets() - before
    finally:
        gc.enable()


def test_a_failed_call_keeps_no_sockets_either(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver]
) -> None:
    gc.collect()
    gc.disable()
    try:
        before = sockets()
        driver = driver_at(sandbox.url)
        driver.list_nodes()
        sandbox.faults.add("one.vmpool.info:cut-after")
        with pytest.raises(Exception, match="broke"):
            driver.list_nodes()
        del driver
        assert not sockets() - before
    finally:
        gc.enable()


def sockets() -> set[str]:
    """Return this process's connections which are kept alive: the client's ends, not the sandbox's."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if entry.is_socket():
                with socket.socket(fileno=os.dup(int(entry.name))) as end:
                    if end.family == socket.AF_INET and is_kept_alive(end):
                        found.add(f"{end.getsockname()} to {end.getpeername()}")
    return found


def is_kept_alive(end: socket.socket) -> bool:
    return end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
