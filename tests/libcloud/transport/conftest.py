from __future__ import annotations

import base64
import contextlib
import datetime
import http.client
import io
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGIN = "Basic " + base64.b64encode(b"demo:demo-pass").decode()
_ONE_DAY = datetime.timedelta(days=1)
_HOP_BY_HOP = {"connection", "host", "content-length", "transfer-encoding", "proxy-authorization"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One cloud, "here", whose VMs run at once."""
    with Sandbox(locations=["here"], boot_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


class Authority:
    """Issues certificates, and keeps them and their keys in files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issued(self._name, self._key, x509.BasicConstraints(True, None))
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(certificate))

    def issue(self, name: str, password: bytes | None = None) -> tuple[Path, Path]:
        """Return the files of a certificate for a host, address or user and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self._folder / f"{name}-cert.pem", self._folder / f"{name}-key.pem"
        certificate.write_bytes(_pem(self._issued(_name(name), key, _alternative_name(name))))
        encryption = (
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        )
        key_file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return certificate, key_file

    def _issued(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        issuer_key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _ONE_DAY)
            .not_valid_after(now + _ONE_DAY)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if subject == self._name:
            builder = builder.add_extension(_usage_of_an_authority(), critical=True)
        else:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key)
            builder = builder.add_extension(identifier, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative_name(name: str) -> x509.SubjectAlternativeName:
    with contextlib.suppress(ValueError):
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    return x509.SubjectAlternativeName([x509.DNSName(name)])


def _usage_of_an_authority() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def make_authority(tmp_path: Path) -> Callable[[str], Authority]:
    """Make authorities that nobody trusts from the outset."""
    return lambda name: Authority(tmp_path, name)


@pytest.fixture
def authority(make_authority: Callable[[str], Authority]) -> Authority:
    """The authority of the cloud."""
    return make_authority("authority")


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. ``user`` is whom the client's certificate names."""

    method: str
    target: str
    headers: email.message.Message
    body: bytes
    client_port: int
    user: str | None


class Gate(ThreadingHTTPServer):
    """Stands before a server, hands requests on and remembers them; speaks TLS if it has a context.

    It is the server whose path is asked for, or the proxy through which a URL is asked for. As the front
    of a cloud it lets those in below ``cert`` whose certificate is demo's. Where ``cut`` says so, it hands
    a request on and hangs up without the answer, after some ``last_words`` that are not encrypted.
    """

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, target: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self.tls = tls
        self.seen: list[Seen] = []
        self.cut: Callable[[Seen], bool] = lambda _: False
        self.last_words = b""
        super().__init__(("127.0.0.1", 0), _GateHandler)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self.tls:
                secured = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                request = stack.enter_context(secured)
                _shake_hands(request)
            super().finish_request(request, client_address)

    def operations(self) -> list[str]:
        return [f"{seen.method} {seen.target}" for seen in self.seen]

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


def _shake_hands(connection: ssl.SSLSocket) -> None:
    try:
        connection.do_handshake()
    except ssl.SSLError:
        # What was sent meanwhile is taken in, so that the client gets to read why it is refused.
        connection.shutdown(socket.SHUT_WR)
        while socket.socket.recv(connection, 65536):
            pass
        raise


FAR_AWAY = "cloud.invalid"
"""A name that only a proxy here knows: loopback addresses go through no proxy of the environment."""


class _GateHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def _hand_on(self) -> None:
        seen = self._look()
        self.server.seen.append(seen)
        self.close_connection = self.headers["Connection"] == "close"
        host, path = self.server.target, seen.target
        if host is None:
            split = urlsplit(seen.target)
            host, path = (
                split.netloc.replace(FAR_AWAY, "127.0.0.1"),
                f"{split.path}?{split.query}" if split.query else split.path,
            )
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        if "/cert/" in path and seen.user == "demo":
            path, headers["Authorization"] = path.replace("/cert/", "/pswd/"), LOGIN
        with contextlib.closing(http.client.HTTPConnection(host, timeout=30)) as onwards:
            onwards.request(seen.method, path, seen.body or None, headers)
            answer = onwards.getresponse()
            body = answer.read()
        if self.server.cut(seen):
            self.close_connection = True
            socket.socket.sendall(self.connection, self.server.last_words)
        else:
            self._answer(answer, body)

    def _look(self) -> Seen:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        user = None
        if isinstance(self.connection, ssl.SSLSocket):
            subject: Any = (self.connection.getpeercert() or {}).get("subject", ())
            user = next((value for ((name, value),) in subject if name == "commonName"), None)
        return Seen(self.command, self.path, self.headers, body, self.client_address[1], user)

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._hand_on
        raise AttributeError(name)

    def do_CONNECT(self) -> None:
        self.server.seen.append(self._look())
        host, _, port = self.path.rpartition(":")
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        with socket.create_connection((host, int(port))) as onwards:
            back = threading.Thread(target=_pour, args=(onwards, self.connection), daemon=True)
            back.start()
            _pour(self.connection, onwards)
            back.join()
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


def _pour(source: socket.socket, drain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            drain.sendall(data)
    with contextlib.suppress(OSError):
        drain.shutdown(socket.SHUT_WR)


@pytest.fixture
def gate() -> Iterator[Callable[..., Gate]]:
    """Start gates; without a target they are proxies."""
    with contextlib.ExitStack() as gates:

        def start(target: str | None = None, tls: ssl.SSLContext | None = None) -> Gate:
            gate = Gate(target and target.partition("//")[2], tls)
            gates.callback(gate.stop)
            return gate

        yield start


@pytest.fixture
def secure(sandbox: Sandbox, authority: Authority, gate: Callable[..., Gate]) -> Callable[..., Gate]:
    """Put a gate with a certificate for a name before the sandbox; it may ask clients for theirs."""

    def start(name: str = "127.0.0.1", clients: Authority | None = None) -> Gate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(name))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.file)
        return gate(sandbox.url, context)

    return start


@pytest.fixture
def driver_at() -> Callable[..., StratusLabNodeDriver]:
    """Make a driver for the cloud "here" at a URL; ``keys`` are those of the section."""

    def make(url: str, arguments: dict[str, Any] | None = None, **keys: Any) -> StratusLabNodeDriver:
        login = {} if "pem_certificate" in keys else {"username": "demo", "password": "demo-pass"}
        section = {
            **login,
            "endpoint": f"{url}/here/one-proxy/xmlrpc",
            "pdisk_endpoint": f"{url}/here/pdisk",
            "marketplace_endpoint": f"{url}/here/marketplace",
            **keys,
        }
        lines = [f"{key} = {value}" for key, value in section.items()]
        text = "\n".join(["[default]", "selected_section = here", "[here]", *lines])
        return StratusLabNodeDriver(stratuslab_user_config=io.StringIO(text), **(arguments or {}))

    return make


@pytest.fixture
def use() -> Callable[[StratusLabNodeDriver], None]:
    """Use every service of a driver's cloud, and see that it works."""

    def use_services(driver: StratusLabNodeDriver) -> None:
        node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
        assert node.id in [listed.id for listed in driver.list_nodes()]
        volume = driver.create_volume(1, "data")
        assert volume.id in [listed.id for listed in driver.list_volumes()]

    return use_services
