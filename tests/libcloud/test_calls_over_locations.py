"""A call over many locations, some of which are of no use."""

from __future__ import annotations

import io
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import (
    AnswerTimeoutError,
    InvalidArgumentError,
    LocationsError,
    MalformedAnswerError,
    UnreachableError,
)
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from libcloud.compute.base import Node

    from tests.libcloud.conftest import ScriptedServer

GOOD = [f"site{number:02d}" for number in range(13)]
DEFAULT = "[default]\nselected_section = {}\nusername = demo\npassword = demo-pass\nendpoint_timeout = {}\n"
EMPTY_POOL = (
    b"<?xml version='1.0'?><methodResponse><params><param><value><array><data>"
    b"<value><boolean>1</boolean></value><value>&lt;VM_POOL/&gt;</value><value><i4>0</i4></value>"
    b"</data></array></value></param></params></methodResponse>"
)


def driver_for(endpoints: dict[str, str], timeout: float) -> StratusLabNodeDriver:
    sections = [f"[{location}]\nendpoint = {endpoint}\n" for location, endpoint in endpoints.items()]
    text = "\n".join([DEFAULT.format(next(iter(endpoints)), timeout), *sections])
    return StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(text))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


@pytest.fixture
def good() -> Iterator[dict[str, str]]:
    """The addresses of thirteen clouds with two nodes each."""
    with Sandbox(locations=GOOD) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        image = driver.list_images()[0]
        for location in driver.list_locations():
            for name in ("first", "second"):
                driver.create_node(f"{name}-{location.id}", driver.list_sizes()[0], image, location)
        yield {location: sandbox.endpoints[location]["endpoint"] for location in GOOD}


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a port that is taken and not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/xmlrpc"


@pytest.fixture
def silent(serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer]) -> ScriptedServer:
    """A server that takes requests and says nothing."""
    return serve(lambda connection: connection.recv(1))


@pytest.fixture
def garbage(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> ScriptedServer:
    """A server that answers what nobody can read."""
    return serve(answer(b"\x00\xff<garbage"))


@pytest.fixture
def driver(
    good: dict[str, str], refusing: str, silent: ScriptedServer, garbage: ScriptedServer
) -> StratusLabNodeDriver:
    """A driver for the thirteen, with the useless three first, in their middle and last."""
    soon_over = f"{silent.url}/xmlrpc\nendpoint_timeout = 1"
    endpoints = {"refusing": refusing, **dict(list(good.items())[:7]), "silent": soon_over}
    return driver_for({**endpoints, **good, "garbage": f"{garbage.url}/xmlrpc"}, timeout=20)


def of_the_good(nodes: Sequence[Node]) -> bool:
    expected = [f"{name}-{location}" for location in GOOD for name in ("first", "second")]
    return [node.name for node in nodes] == expected


def test_each_failure_is_named_and_the_nodes_of_the_others_are_there(
    driver: StratusLabNodeDriver, silent: ScriptedServer, garbage: ScriptedServer
) -> None:
    assert len(driver.list_locations()) == 16
    with pytest.raises(LocationsError) as caught:
        driver.list_nodes()

    error = caught.value
    assert {location: type(failure) for location, failure in error.errors.items()} == {
        "refusing": UnreachableError,
        "silent": AnswerTimeoutError,
        "garbage": MalformedAnswerError,
    }
    assert list(error.errors) == ["refusing", "silent", "garbage"]
    assert all(failure.location == location for location, failure in error.errors.items())
    assert all(f"{location}: {failure.message}" in str(error) for location, failure in error.errors.items())
    assert str(error).startswith("list_nodes: 3 location(s) failed: ")
    assert of_the_good(error.nodes)
    assert error.__cause__ is error.errors["refusing"]
    assert (len(silent.received), len(garbage.received)) == (1, 1)


def test_failures_are_skipped_and_logged(
    driver: StratusLabNodeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "stratuslab"):
        nodes = driver.list_nodes(ex_on_error="skip")

    assert of_the_good(nodes)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("stratuslab")]
    for location, warning in zip(("refusing", "silent", "garbage"), warnings, strict=True):
        assert warning.startswith(f"left out: location '{location}': one.vmpool.info: ")


def test_the_good_ones_alone_can_be_asked(driver: StratusLabNodeDriver) -> None:
    locations = [location for location in driver.list_locations() if location.id in GOOD]

    assert of_the_good(driver.list_nodes(ex_location=locations))


def test_the_only_location_asked_raises_its_own_error(driver: StratusLabNodeDriver) -> None:
    with pytest.raises(UnreachableError) as caught:
        driver.list_nodes(ex_location=driver.list_locations()[0])

    assert caught.value.errors == {"refusing": caught.value}
    assert caught.value.nodes == []


@pytest.mark.parametrize("wish", ["ignore", "", None, True])
def test_an_unknown_wish_is_refused(two_clouds: Sandbox, wish: Any) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    with pytest.raises(InvalidArgumentError, match=r"the argument ex_on_error: .*; use one of raise, skip"):
        driver.list_nodes(ex_on_error=wish)
    assert len(two_clouds.request_log) == 0


class HospitableServer(ThreadingHTTPServer):
    request_queue_size = 16


@pytest.fixture
def rendezvous() -> Iterator[Callable[[int], str]]:
    """Start a server that answers no request before so many are there."""
    servers: list[HospitableServer] = []

    def start(parties: int) -> str:
        all_there = threading.Barrier(parties)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    all_there.wait(20)
                except threading.BrokenBarrierError:
                    self.send_error(500, "you come one after the other")
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.end_headers()
                self.wfile.write(EMPTY_POOL)

            def log_message(self, *arguments: object) -> None:
                pass

        server = HospitableServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_sixteen_locations_are_asked_at_the_same_time(rendezvous: Callable[[int], str]) -> None:
    url = rendezvous(16)
    driver = driver_for({f"site{n}": f"{url}/{n}/one-proxy/xmlrpc" for n in range(16)}, 30)

    assert driver.list_nodes() == []
