from __future__ import annotations

import http.client
import json
import threading
import xmlrpc.client
from base64 import b64encode
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from stratuslab.sandbox import Clock, Sandbox
from stratuslab.sandbox.marketplace.catalogue import Catalogue, default_catalogue
from stratuslab.sandbox.marketplace.service import MarketplaceService
from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
from stratuslab.sandbox.pdisk.disks import Disk, DiskStore
from stratuslab.sandbox.pdisk.service import DiskService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NOW = 1_400_000_000.0
LOGIN = "Basic " + b64encode(b"demo:demo-pass").decode()
PROXY = "/paris/one-proxy/pswd/xmlrpc"
ONED = "/paris/RPC2"
DISKS = "/paris/pdisk/pswd/disks/"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
JSON = {"Accept": "application/json"}
XML = {"Accept": "application/xml"}
HTML = {"Accept": "text/html"}


@dataclass
class Answer:
    """An HTTP answer with its body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def values(self) -> Any:
        """What a call has given back; xmlrpc.client.Fault if it is a fault."""
        ((result,), _) = xmlrpc.client.loads(self.body)
        return result


class Client:
    """One HTTP connection, which is kept open and opened again when the server has cut it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)

    def request(
        self, method: str, path: str, body: bytes = b"", *, login: str = "demo:demo-pass", **headers: str
    ) -> Answer:
        """Send a request; without a login it has no Authorization."""
        authorization = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {**authorization, **fields})
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def call(self, method: str, *parameters: Any, path: str = PROXY, **headers: str) -> Answer:
        body = xmlrpc.client.dumps(("demo:demo-pass", *parameters), method).encode()
        return self.request("POST", path, body, **headers)

    def values(self, path: str, method: str, *parameters: Any, login: str = "demo:demo-pass") -> Any:
        """Call a method, the session of which is among the parameters; return what it gives back."""
        answer = self.request("POST", path, xmlrpc.client.dumps(parameters, method).encode(), login=login)
        assert answer.status == 200
        return answer.values

    def allocate(self, name: str = "web") -> Answer:
        return self.call("one.vm.allocate", f"NAME = {name}")

    def vms(self) -> str:
        _, document, _ = self.call("one.vmpool.info", -3, -1, -1, -1).values
        return str(document)

    def create_disk(self) -> Answer:
        return self.request("POST", DISKS, b"size=1", **FORM)

    def disks(self) -> list[dict[str, str]]:
        return [*self.request("GET", DISKS, Accept="application/json").json]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(locations=["paris", "lyon"], clock=Clock(NOW), boot_seconds=8.0) as running:
        yield running


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Callable[[], Client]]:
    url = sandbox.url
    with ExitStack() as connections:

        def new_client() -> Client:
            client = Client(url)
            connections.enter_context(closing(client.connection))
            return client

        yield new_client


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()


class _QuietHandler(WSGIRequestHandler):
    def log(self, *what: object) -> None:
        pass


@dataclass
class Http:
    """A client of one service: paths are relative to it; redirects are not followed."""

    url: str

    def request(
        self,
        method: str,
        path: str,
        *,
        user: str = "alice",
        headers: Mapping[str, str | bytes | None] | None = None,
        data: Mapping[str, str] | str | bytes | None = None,
    ) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            auth=(user, "secret"),
            headers=JSON if headers is None else dict(headers),  # type: ignore[arg-type]  # None: no such header
            data=data,
            allow_redirects=False,
            timeout=10,
        )

    def get(
        self, path: str, *, user: str = "alice", headers: Mapping[str, str | bytes | None] | None = None
    ) -> requests.Response:
        return self.request("GET", path, user=user, headers=headers)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Request], Response]], str]]:
    with ExitStack() as servers:

        def start(answer: Callable[[Request], Response]) -> str:
            server = make_server(
                "127.0.0.1", 0, Request.application(answer), threaded=True, request_handler=_QuietHandler
            )
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            servers.callback(server.server_close)
            servers.callback(thread.join)
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.port}"

        yield start


@pytest.fixture
def clock() -> Clock:
    return Clock(start=NOW)


@pytest.fixture
def disks(clock: Clock) -> DiskStore:
    return DiskStore(clock)


@pytest.fixture
def catalogue(clock: Clock) -> Catalogue:
    return default_catalogue(clock)


@pytest.fixture
def transfer_manager(disks: DiskStore, catalogue: Catalogue) -> TransferManager:
    return TransferManager(disks, catalogue)


@pytest.fixture
def pdisk(disks: DiskStore, serve: Callable[[Callable[[Request], Response]], str]) -> Http:
    prefix = "/somewhere/pdisk/pswd"
    service = DiskService(disks)

    def answer(request: Request) -> Response:
        assert request.authorization is not None
        user = request.authorization.username
        assert user is not None
        return service.handle(request, request.path.removeprefix(prefix) or "/", user)

    return Http(serve(answer) + prefix)


@pytest.fixture
def market(catalogue: Catalogue, serve: Callable[[Callable[[Request], Response]], str]) -> Http:
    prefix = "/marketplace"
    service = MarketplaceService(catalogue)
    return Http(
        serve(lambda request: service.handle(request, request.path.removeprefix(prefix) or "/")) + prefix
    )


@pytest.fixture
def saved(disks: DiskStore) -> Callable[..., Disk]:
    """Put a disk into the store, with any of its fields given."""

    def save(**fields: Any) -> Disk:
        given: dict[str, Any] = {"size_gib": 5, **fields}
        disk = replace(disks.new("alice"), **given)
        disks.save(disk)
        return disk

    return save
