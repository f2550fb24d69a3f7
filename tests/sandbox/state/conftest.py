from __future__ import annotations

import http.client
import json
import re
import xmlrpc.client
from base64 import b64encode
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPLATE = """\
NAME = "{name}"
CPU = 1
MEMORY = 512
DISK = [ SOURCE = "{root}", TARGET = hda ]
{more}
NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]
"""


@dataclass(frozen=True)
class Vm:
    """What the tests look at in the document of a VM."""

    id: int
    owner: str
    name: str
    state: tuple[int, int]
    address: str

    @classmethod
    def of(cls, document: str) -> Vm:
        def text(pattern: str) -> str:
            found = re.search(pattern, document)
            return found[1] if found else ""

        return cls(
            id=int(text(r"<ID>(\d+)")),
            owner=text(r"<UNAME>([^<]*)"),
            name=text(r"<NAME>([^<]*)"),
            state=(int(text(r"<STATE>(\d+)")), int(text(r"<LCM_STATE>(\d+)"))),
            address=text(r"<IP><!\[CDATA\[([^]]*)"),
        )


@dataclass
class Answer:
    """An HTTP answer, with what its JSON says."""

    status: int
    content: Any


class Client:
    """One user of one location, with one connection; speaks plain HTTP and nothing of this package."""

    def __init__(self, connection: http.client.HTTPConnection, location: str, login: str) -> None:
        self._connection = connection
        self._location = location
        self._authorization = "Basic " + b64encode(login.encode()).decode()

    def one(self, method: str, *arguments: Any) -> list[object]:
        body = xmlrpc.client.dumps(("session", *arguments), method)
        _, content = self._request("POST", "one-proxy/pswd/xmlrpc", body, "text/xml")
        ((result,), _) = xmlrpc.client.loads(content)
        assert isinstance(result, list)
        return result

    def pdisk(self, method: str, path: str, **form: str) -> Answer:
        body = urlencode(form)
        status, content = self._request(
            method, f"pdisk/pswd{path}", body, "application/x-www-form-urlencoded"
        )
        is_json = content.lstrip().startswith((b"{", b"["))
        return Answer(status, json.loads(content) if is_json else content)

    def images(self) -> list[str]:
        status, content = self._request("GET", "marketplace/metadata")
        assert status == 200
        return [*dict.fromkeys(row[7] for row in json.loads(content)["aaData"])]

    def allocate(self, root: str, name: str = "vm", more: str = "") -> list[object]:
        return self.one("one.vm.allocate", TEMPLATE.format(name=name, root=root, more=more))

    def vms(self, filter_flag: int = -3) -> list[Vm]:
        ok, pool, _ = self.one("one.vmpool.info", filter_flag, -1, -1, -2)
        assert ok
        return [Vm.of(document) for document in re.findall(r"<VM>.*?</VM>", str(pool), re.DOTALL)]

    def leases(self) -> dict[str, int]:
        ok, network, _ = self.one("one.vn.info", 0)
        assert ok
        found = re.findall(r"<LEASE><IP>([^<]*)</IP>.*?<VID>(\d+)</VID>", str(network))
        assert len(dict(found)) == len(found)
        return {address: int(vm_id) for address, vm_id in found}

    def disks(self) -> dict[str, dict[str, str]]:
        answer = self.pdisk("GET", "/disks/")
        assert isinstance(answer.content, list)
        return {disk["uuid"]: disk for disk in answer.content}

    def mounts(self, uuid: str) -> dict[str, str]:
        answer = self.pdisk("GET", f"/disks/{uuid}/mounts/")
        assert isinstance(answer.content, list)
        return {mount["vmId"]: mount["device"] for mount in answer.content}

    def _request(
        self, method: str, path: str, body: str = "", content_type: str = "text/plain"
    ) -> tuple[int, bytes]:
        headers = {
            "Authorization": self._authorization,
            "Accept": "application/json",
            "Content-Type": content_type,
        }
        self._connection.request(method, f"/{self._location}/{path}", body.encode(), headers)
        response = self._connection.getresponse()
        return response.status, response.read()


class Clients:
    """Makes clients; closes their connections."""

    def __init__(self) -> None:
        self._connections = ExitStack()

    def connect(self, url: str, location: str, login: str) -> Client:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        self._connections.enter_context(closing(connection))
        return Client(connection, location, login)

    def close(self) -> None:
        self._connections.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str, str, str], Client]]:
    clients = Clients()
    yield clients.connect
    clients.close()


@pytest.fixture
def new_clients() -> type[Clients]:
    return Clients
