from __future__ import annotations

import http.client
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


@dataclass
class Answer:
    """An HTTP answer with its body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """One HTTP connection, kept open, with the default user's name and password unless told otherwise."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        login: str = "demo:demo-pass",
        **headers: str,
    ) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            fields["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        self.connection.request(method, path, body, fields)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def call(self, path: str, method: str, *parameters: object, login: str = "demo:demo-pass") -> object:
        answer = self.request("POST", path, xmlrpc.client.dumps(parameters, method).encode(), login=login)
        assert answer.status == 200
        ((result,), _) = xmlrpc.client.loads(answer.body)
        return result


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(locations=["paris", "lyon"], clock=Clock(1_400_000_000.0), boot_seconds=8.0) as running:
        yield running


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Callable[[], Client]]:
    address = urlsplit(sandbox.url)
    with ExitStack() as connections:

        def new_client() -> Client:
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
            connections.enter_context(closing(connection))
            return Client(connection)

        yield new_client


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()
