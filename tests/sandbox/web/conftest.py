from __future__ import annotations

import http.client
import xmlrpc.client
from base64 import b64encode
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BASIC = {"Authorization": "Basic " + b64encode(b"demo:demo-pass").decode()}


@dataclass
class Page(HTMLParser):
    """A page as a reader without JavaScript has it: the rows of its tables by caption, and all elements."""

    status: int
    headers: http.client.HTTPMessage
    source: str
    tables: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._text: list[str] = []
        self._caption = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("caption", "th", "td"):
            self._text.clear()
        if tag == "tr":
            self.tables[self._caption].append([])

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = "".join(self._text)
        if tag in ("th", "td"):
            self.tables[self._caption][-1].append("".join(self._text))

    def rows(self, caption: str) -> list[dict[str, str]]:
        headings, *rows = self.tables[caption]
        return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.fixture
def clock() -> Clock:
    return Clock(1_400_000_000.0)


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """One cloud, whose VMs run 8 s after they were started, when the clock is stepped."""
    with Sandbox(locations=["paris"], clock=clock, boot_seconds=8.0) as running:
        yield running


@pytest.fixture
def fetch(sandbox: Sandbox) -> Callable[..., Page]:
    def fetch(method: str = "GET", path: str = "/", of: Sandbox = sandbox) -> Page:
        address = urlsplit(of.url)
        with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)) as client:
            client.request(method, path)
            response = client.getresponse()
            return Page(response.status, response.headers, response.read().decode())

    return fetch


@pytest.fixture
def start_vm(sandbox: Sandbox) -> Callable[[str], int]:
    """Start a VM of which the template is given, or only attributes besides the root disk."""
    endpoint = sandbox.endpoints["paris"]
    image = sandbox.location("paris").catalogue.entries()[0].identifier
    url = endpoint["endpoint"].replace("one-proxy/", "one-proxy/pswd/")

    def start(template: str) -> int:
        disk = f'\nDISK = [ SOURCE = "{endpoint["marketplace_endpoint"]}/metadata/{image}" ]'
        with xmlrpc.client.ServerProxy(url, headers=[*BASIC.items()]) as service:
            allocate: Any = service.one.vm.allocate
            ok, vm_id, _ = allocate("session", template + disk)
        assert ok, vm_id
        return int(vm_id)

    return start


@pytest.fixture
def make_volume(sandbox: Sandbox) -> Callable[[str], None]:
    def make(form: str) -> None:
        address = urlsplit(sandbox.url)
        headers = {**BASIC, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)) as client:
            client.request("POST", "/paris/pdisk/pswd/disks/", form, headers)
            assert client.getresponse().status == 201

    return make
