from __future__ import annotations

import http.client
import json
import xmlrpc.client
from base64 import b64encode
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGIN = "Basic " + b64encode(b"demo:demo-pass").decode()
PROXY = "/paris/one-proxy/pswd/xmlrpc"
ONED = "/paris/RPC2"
DISKS = "/paris/pdisk/pswd/disks/"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass
class Answer:
    """An HTTP answer with its body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)

    @property
    def values(self) -> object:
        """What a call has given back; xmlrpc.client.Fault if it is a fault."""
        ((result,), _) = xmlrpc.client.loads(self.body)
        return result


class Client:
    """One HTTP connection, which is kept open and opened again when the server has cut it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {"Authorization": LOGIN, **fields})
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def call(self, method: str, *parameters: object, path: str = PROXY, **headers: str) -> Answer:
        body = xmlrpc.client.dumps(("demo:demo-pass", *parameters), method).encode()
        return self.request("POST", path, body, **headers)

    def allocate(self, name: str = "web") -> Answer:
        return self.call("one.vm.allocate", f"NAME = {name}")

    def vms(self) -> str:
        _, document, _ = self.call("one.vmpool.info", -3, -1, -1, -1).values
        return document

    def create_disk(self) -> Answer:
        return self.request("POST", DISKS, b"size=1", **FORM)

    def disks(self) -> list[dict[str, str]]:
        return [*self.request("GET", DISKS, Accept="application/json").json]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(locations=["paris", "lyon"], clock=Clock(1_400_000_000.0), boot_seconds=8.0) as running:
        yield running


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Callable[[], Client]]:
    with ExitStack() as connections:

        def new_client() -> Client:
            client = Client(sandbox.url)
            connections.enter_context(closing(client.connection))
            return client

        yield new_client


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()
