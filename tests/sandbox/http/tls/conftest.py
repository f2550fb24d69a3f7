from __future__ import annotations

import http.client
import ssl
import xmlrpc.client
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from stratuslab.sandbox import Sandbox
from tests.sandbox.conftest import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratuslab.sandbox.http.certificate_authority import CertificateFiles


def ca_certificate(sandbox: Sandbox) -> str:
    line = next(line for line in sandbox.config_file.read_text().splitlines() if "ca_certificate" in line)
    return line.partition(" = ")[2]


@dataclass
class Visitor:
    """A client which trusts the sandbox's authority and nobody else, with a certificate or without."""

    sandbox: Sandbox
    certificate: CertificateFiles | None = None

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=ca_certificate(self.sandbox))
        if self.certificate is not None:
            context.load_cert_chain(*self.certificate)
        return context

    def connection(self, host: str = "127.0.0.1") -> closing[http.client.HTTPSConnection]:
        port = urlsplit(self.sandbox.url).port
        return closing(http.client.HTTPSConnection(host, port, timeout=10, context=self.context()))

    def request(self, method: str, path: str, body: bytes = b"", *, login: str = "") -> Answer:
        headers = {"Accept": "application/json"}
        if login:
            headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        with self.connection() as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def call(self, path: str, method: str, *parameters: Any) -> Any:
        response = self.request("POST", path, xmlrpc.client.dumps(parameters, method).encode())
        assert response.status == 200
        ok, value, _ = response.values
        assert ok, value
        return value

    def disks(self, way: str = "cert") -> Any:
        response = self.request("GET", f"/sandbox/pdisk/{way}/disks/")
        assert response.status == 200
        return response.json


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tls=True, boot_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def anybody(sandbox: Sandbox) -> Visitor:
    return Visitor(sandbox)


@pytest.fixture
def jane(sandbox: Sandbox) -> Visitor:
    return Visitor(sandbox, sandbox.issue_certificate("CN=Jane Tester,OU=Testing,O=StratusLab,C=FR"))
