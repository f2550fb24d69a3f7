from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.marketplace.catalogue import Catalogue, default_catalogue
from stratuslab.sandbox.marketplace.service import MarketplaceService
from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
from stratuslab.sandbox.pdisk.disks import Disk, DiskStore
from stratuslab.sandbox.pdisk.service import DiskService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = {"Accept": "application/json"}
XML = {"Accept": "application/xml"}
HTML = {"Accept": "text/html"}


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
        headers: dict[str, str] | None = None,
        data: dict[str, str] | str | None = None,
    ) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            auth=(user, "secret"),
            headers=JSON if headers is None else headers,
            data=data,
            allow_redirects=False,
            timeout=10,
        )

    def get(
        self, path: str, *, user: str = "alice", headers: dict[str, str] | None = None
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
    return Clock(start=1_400_000_000.0)


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

    def save(**fields: object) -> Disk:
        disk = replace(disks.new("alice"), **{"size_gib": 5, **fields})
        disks.save(disk)
        return disk

    return save
