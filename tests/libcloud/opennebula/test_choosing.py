"""Which kind of cloud a location is, how the driver is made, and both kinds in one driver."""

from __future__ import annotations

import socket
import unittest
from typing import TYPE_CHECKING, Any

import libcloud.pricing
import pytest
from libcloud.compute import providers
from libcloud.compute.providers import get_driver, set_driver
from libcloud.compute.types import Provider

# Not the mixin itself, which pytest would take for a test.
from libcloud.test import compute

from stratuslab.client.errors import (
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    NotOfferedError,
    NotSupportedError,
)
from stratuslab.libcloud.opennebula_driver import OPENNEBULA_XMLRPC, OpenNebulaNodeDriver
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = (
    "<?xml version='1.0'?><methodResponse><params><param><value><array><data>"
    "<value><boolean>1</boolean></value><value><string>{}</string></value><value><i4>0</i4></value>"
    "</data></array></value></param></params></methodResponse>"
)


@pytest.mark.parametrize("name", ["opennebula_xmlrpc", "OPENNEBULA_XMLRPC", OPENNEBULA_XMLRPC])
def test_libcloud_knows_the_driver(name: str) -> None:
    assert get_driver(name) is OpenNebulaNodeDriver
    assert get_driver(Provider.OPENNEBULA_XMLRPC) is OpenNebulaNodeDriver  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"host": "one.example.org"}, "https://one.example.org:2633/RPC2"),
        ({"host": "one.example.org", "port": "443"}, "https://one.example.org:443/RPC2"),
        ({"host": "https://one.example.org/RPC2"}, "https://one.example.org/RPC2"),
        ({"host": "localhost", "secure": "false"}, "http://localhost:2633/RPC2"),
        (
            {"host": "one.example.org", "secure": False, "ex_allow_plain_http": True},
            "http://one.example.org:2633/RPC2",
        ),
        (
            {"host": "one.example.org", "secure": "False", "ex_allow_plain_http": "True"},
            "http://one.example.org:2633/RPC2",
        ),
    ],
)
def test_the_host_takes_port_and_path_by_itself(arguments: dict[str, Any], url: str) -> None:
    driver = OpenNebulaNodeDriver("user", "token", **arguments)

    assert driver._at(None).cloud.compute.url == url


@pytest.mark.parametrize(
    "arguments",
    [{"host": "one.example.org", "secure": False}, {"host": "http://one.example.org"}, {"host": "a b"}],
)
def test_what_is_no_address_or_shows_the_password_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the argument host"):
        OpenNebulaNodeDriver("user", "password", **arguments)
    no_truth: Any = "perhaps"
    with pytest.raises(InvalidArgumentError, match="ex_allow_plain_http"):
        OpenNebulaNodeDriver("user", "password", host="x", ex_allow_plain_http=no_truth)


@pytest.mark.parametrize("version", ["3.8.5", "4.14.2", "5.10.0", "nonsense"])
def test_what_lies_between_is_refused_in_a_sentence(
    version: str, httpserver_of: Callable[[str], str]
) -> None:
    driver = OpenNebulaNodeDriver("user", "password", host=httpserver_of(ANSWER.format(version)))

    with pytest.raises(NotSupportedError, match=f"OpenNebula {version} is not supported: .* 5.12 and later"):
        driver.list_nodes()


@pytest.fixture
def httpserver_of() -> Iterator[Callable[[str], str]]:
    """A server that answers every request with one body."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    servers = []

    def serve(body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/RPC2"

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_a_wrong_password(sandbox: Sandbox) -> None:
    driver = OpenNebulaNodeDriver("demo", "wrong", host=f"{sandbox.url}/here/RPC2")
    with pytest.raises(
        CredentialsError, match=r": the password of 'demo' was refused; see the arguments host"
    ):
        driver.list_nodes()


def test_no_idle_connection_is_kept(sandbox: Sandbox, driver: OpenNebulaNodeDriver) -> None:
    driver.list_nodes()
    driver.list_images()

    connections = [seen.connection for seen in sandbox.request_log]
    assert len(connections) == len(set(connections)) == 3


def test_the_way_of_a_grid_site(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of DIRAC's computing element, with the options of its configuration."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    options = {"host": f"http://{host}:{port}/here/RPC2", "port": port, "secure": "False"}
    cloud_type = "stratuslab.libcloud.opennebula_driver.OpenNebulaNodeDriver"
    monkeypatch.setattr(providers, "DRIVERS", dict(providers.DRIVERS))
    path, _, name = cloud_type.rpartition(".")
    register: Any = set_driver  # whose types ask for objects where it takes their names
    element = register(cloud_type, path, name)("demo", secret="demo-pass", **options)

    [image] = [found for found in element.list_images() if found.name == "debian-12"]
    [flavour] = [found for found in element.list_sizes() if found.name == "small"]
    node = element.create_node(
        name="dirac-1", image=image, size=flavour, ex_userdata="#!/bin/sh", ex_config_drive=True
    )
    assert "dirac-" + node.id
    assert element.ex_get_node_details(node.id).name.startswith("dirac-")
    assert element.ex_get_node_details(node.id).created_at.utctimetuple()
    assert element.destroy_node(node)
    assert element.ex_get_node_details(node.id) is None


@pytest.fixture
def both() -> Iterator[StratusLabNodeDriver]:
    with Sandbox(locations=["paris", "lyon:opennebula-6.10"], boot_seconds=0) as sandbox:
        yield StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=8)


def test_both_kinds_in_one_driver(both: StratusLabNodeDriver) -> None:
    sizes = both.list_sizes()
    ours = {
        place: both.create_node(place, sizes[0], both.list_images(place)[0], place)
        for place in ("paris", "lyon")
    }

    assert sorted(node.name for node in both.list_nodes()) == ["lyon", "paris"]
    assert len({node.uuid for node in ours.values()}) == 2
    assert [network.name for network in both.ex_list_networks("lyon")] == ["public", "local", "private"]
    assert both.create_volume(1, "a", "lyon").id == both.list_volumes("lyon")[0].id
    assert both.list_volumes("paris") != both.list_volumes("lyon")
    assert "small" not in [size.name for size in sizes]
    assert "small" in [size.name for size in both.list_sizes("lyon")]
    for node in ours.values():
        assert both.destroy_node(node)


def test_an_image_of_the_other_kind_is_refused_with_a_sentence(both: StratusLabNodeDriver) -> None:
    size = both.list_sizes()[0]
    marketplace, pool = both.list_images("paris")[0], both.list_images("lyon")[0]

    with pytest.raises(InvalidArgumentError, match=r"'lyon' is an OpenNebula cloud.*number"):
        both.create_node("x", size, marketplace, "lyon")
    with pytest.raises(InvalidArgumentError, match=r"'paris', a StratusLab cloud.*Marketplace identifier"):
        both.create_node("x", size, pool, "paris")
    with pytest.raises(InvalidArgumentError, match="ex_template") as refusal:
        both.create_node("x", size, marketplace, "paris", ex_template={"a": 1})
    assert isinstance(refusal.value, NotOfferedError)
    with pytest.raises(NotOfferedError, match="ex_datastore"):
        both.create_volume(1, "x", "paris", ex_datastore="ssd")
    with pytest.raises(NotOfferedError, match="ex_kind"):
        both.list_images("paris", ex_kind="template")
    with pytest.raises(InvalidArgumentError, match="size"):
        both.create_node("x", both.list_sizes("lyon")[-1], marketplace, "paris")
    assert both.list_nodes() == []


class _Contract(compute.TestCaseMixin):
    should_list_locations = True
    should_list_volumes = True
    should_have_pricing = True
    kind = ""

    @pytest.fixture(autouse=True)
    def _cloud_in_use(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A cloud with a running node and a volume, and a price for every size."""
        with Sandbox(locations=["here"], cloud=self.kind, boot_seconds=0) as sandbox:
            self.driver = OpenNebulaNodeDriver(stratuslab_user_config=sandbox.config_file)
            sizes = self.driver.list_sizes()
            self.driver.create_node("web", sizes[0], self.driver.list_images()[0])
            self.driver.create_volume(1, "data")
            prices = libcloud.pricing.PRICING_DATA
            monkeypatch.setitem(prices, "compute", dict(prices["compute"]))
            libcloud.pricing.set_pricing("compute", self.driver.api_name, {size.id: 0.1 for size in sizes})
            yield


class TestContract512(_Contract, unittest.TestCase):
    kind = "opennebula-5.12"


class TestContract610(_Contract, unittest.TestCase):
    kind = "opennebula-6.10"


class TestContract74(_Contract, unittest.TestCase):
    kind = "opennebula-7.4"


def test_nothing_is_sent_when_a_driver_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    OpenNebulaNodeDriver("user", "password", host="one.example.org")
