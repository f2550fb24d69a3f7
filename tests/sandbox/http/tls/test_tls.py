from __future__ import annotations

import configparser
import re
import socket
import ssl
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stratuslab.client.errors import TlsError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.http import tls
from stratuslab.sandbox.http.certificate_authority import CertificateAuthority, CertificateFiles
from stratuslab.sandbox.http.server import Server
from tests.sandbox.command import run_python, served
from tests.sandbox.http.tls.conftest import Visitor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

XMLRPC = "/sandbox/one-proxy/cert/xmlrpc"
DN = "CN=Jane Tester,OU=Testing,O=StratusLab,C=FR"
UNAME = "CN%3DJane+Tester%2COU%3DTesting%2CO%3DStratusLab%2CC%3DFR"
ALERT = b"\x15"
INHERIT_ALL = bytes.fromhex("300c300a06082b06010505071501")


def address(sandbox: Sandbox) -> tuple[str, int]:
    url = urlsplit(sandbox.url)
    return str(url.hostname), int(url.port or 0)


def configuration(sandbox: Sandbox) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(sandbox.config_file, encoding="utf-8")
    return parser


def test_configuration_names_the_authority_and_https(sandbox: Sandbox) -> None:
    parser = configuration(sandbox)
    assert sandbox.url.startswith("https://127.0.0.1:")
    assert sandbox.control_url.startswith(f"{sandbox.url}/")
    assert set(parser["default"]) == {"selected_section", "username", "password", "ca_certificate"}
    urls = [value for key, value in parser["sandbox"].items() if key.endswith("endpoint")]
    assert len(urls) == 3
    assert all(url.startswith(f"{sandbox.url}/sandbox/") for url in urls)


def test_without_tls_nothing_is_said_of_it() -> None:
    with Sandbox() as sandbox:
        assert "ca_certificate" not in sandbox.config_file.read_text()
        assert sandbox.url.startswith("http://")
        with pytest.raises(RuntimeError, match="TLS"):
            sandbox.issue_certificate(DN)


def test_files_are_private_and_gone_in_the_end() -> None:
    with Sandbox(tls=True) as sandbox:
        certificate, key = sandbox.issue_certificate(DN)
        folder = certificate.parent
        keys = [path for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
        assert key in keys
        assert len(keys) == 2
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="not running"):
        sandbox.issue_certificate(DN)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate_is_good_for_this_machine(anybody: Visitor, host: str) -> None:
    with anybody.connection(host) as connection:
        connection.request("GET", "/sandbox/marketplace/")
        assert connection.getresponse().status == 200


def test_certificate_is_good_for_python_2(sandbox: Sandbox) -> None:
    """It compares an address in a URL with the names of a certificate, not with its addresses."""
    context = ssl.create_default_context(cafile=sandbox.ca_certificate)
    with context.wrap_socket(
        socket.create_connection(address(sandbox)), server_hostname="127.0.0.1"
    ) as connection:
        names = (connection.getpeercert() or {})["subjectAltName"]
    assert ("DNS", "127.0.0.1") in names


def test_strangers_do_not_trust_the_server(sandbox: Sandbox) -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection(address(sandbox), timeout=10) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_password_needs_no_certificate(anybody: Visitor) -> None:
    path = "/sandbox/pdisk/pswd/disks/"
    assert anybody.request("GET", path, login="demo:demo-pass").status == 200
    assert anybody.request("GET", path, login="demo:wrong").status == 401


@pytest.mark.parametrize("path", [XMLRPC, "/sandbox/pdisk/cert/disks/"])
def test_nobody_without_certificate(anybody: Visitor, path: str) -> None:
    assert anybody.request("GET", path).status == 403
    assert anybody.request("GET", path, login="demo:demo-pass").status == 403


def test_certificate_is_no_password(jane: Visitor) -> None:
    assert jane.request("GET", "/sandbox/pdisk/pswd/disks/").status == 401


def test_user_is_the_dn(jane: Visitor) -> None:
    vm_id = jane.call(XMLRPC, "one.vm.allocate", "ignored", "CPU = 1")
    assert f"<UNAME>{UNAME}</UNAME>" in jane.call(XMLRPC, "one.vm.info", "ignored", vm_id)
    made = jane.request("POST", "/sandbox/pdisk/cert/disks/", b"size=1")
    assert made.status == 415
    jane.sandbox.location("sandbox").disks.save(jane.sandbox.location("sandbox").disks.new(DN))
    assert [disk["owner"] for disk in jane.disks()] == [DN]


def test_users_of_two_certificates_are_two(jane: Visitor) -> None:
    joe = Visitor(jane.sandbox, jane.sandbox.issue_certificate("CN=Joe,C=FR"))
    vm_id = jane.call(XMLRPC, "one.vm.allocate", "x", "CPU = 1")
    pool = ("one.vmpool.info", "x", -3, -1, -1, -1)
    assert f"<ID>{vm_id}</ID>" in jane.call(XMLRPC, *pool)
    assert joe.call(XMLRPC, *pool) == "<VM_POOL></VM_POOL>"


@pytest.mark.parametrize("name", ["proxy", "1234567890"])
def test_proxy_stands_for_its_user(sandbox: Sandbox, name: str) -> None:
    proxy = Visitor(sandbox, sandbox.issue_certificate(f"CN={name},{DN}"))
    vm_id = proxy.call(XMLRPC, "one.vm.allocate", "x", "CPU = 1")
    assert f"<UNAME>{UNAME}</UNAME>" in proxy.call(XMLRPC, "one.vm.info", "x", vm_id)


def signed_by(user: CertificateFiles, file: Path) -> CertificateFiles:
    """Make an RFC 3820 proxy: one PEM file with the proxy, its key and the user's certificate."""
    issuer = x509.load_pem_x509_certificate(user.certificate.read_bytes())
    issuer_key = serialization.load_pem_private_key(user.key.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    number = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "4711")])
    now = datetime.now(timezone.utc)
    information = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14"), INHERIT_ALL)
    proxy = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*issuer.subject.rdns, number]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(information, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    file.write_bytes(proxy.public_bytes(encoding) + private + issuer.public_bytes(encoding))
    return CertificateFiles(file, file)


def test_proxy_which_a_user_has_signed(jane: Visitor, tmp_path: Path) -> None:
    assert jane.certificate is not None
    proxy = Visitor(jane.sandbox, signed_by(jane.certificate, tmp_path / "proxy.pem"))
    vm_id = proxy.call(XMLRPC, "one.vm.allocate", "x", "CPU = 1")
    assert f"<UNAME>{UNAME}</UNAME>" in proxy.call(XMLRPC, "one.vm.info", "x", vm_id)


def test_certificate_of_somebody_else_is_refused(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Visitor(sandbox, CertificateAuthority(tmp_path).issue_for_client(DN))
    with pytest.raises(OSError, match=r".") as caught:
        stranger.request("GET", "/sandbox/pdisk/cert/disks/")
    assert isinstance(caught.value, ssl.SSLError | ConnectionError)
    assert Visitor(sandbox).request("GET", "/").status == 200
    assert not caplog.records


@pytest.mark.parametrize("dn", ["", "Jane", "CN=Jane,", "/C=FR/CN=Jane", "C=France"])
def test_what_is_no_dn(sandbox: Sandbox, dn: str) -> None:
    with pytest.raises(ValueError, match="no distinguished name, such as CN="):
        sandbox.issue_certificate(dn)


def test_silent_client_stops_nobody(anybody: Visitor) -> None:
    with ExitStack() as silent:
        for _ in range(20):
            connection = socket.create_connection(address(anybody.sandbox), timeout=10)
            silent.enter_context(closing(connection))
        connection.sendall(b"\x16\x03\x01")
        assert anybody.request("GET", "/sandbox/marketplace/").status == 200
        anybody.sandbox.stop()
        assert connection.recv(1) in (b"", ALERT)


def test_stop_ends_all_threads() -> None:
    before = threading.active_count()
    with Sandbox(tls=True) as sandbox, Visitor(sandbox).connection() as connection:
        connection.request("GET", "/sandbox/marketplace/")
        connection.getresponse().read()
        sandbox.stop()
        assert threading.active_count() == before
        assert connection.sock.recv(1) == b""


def test_stop_lets_an_answer_under_way_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, stopping, released = threading.Event(), threading.Event(), threading.Event()
    end_of_input = tls.end_of_input

    def ending(connection: socket.socket) -> None:
        end_of_input(connection)
        stopping.set()

    monkeypatch.setattr(tls, "end_of_input", ending)

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        entered.set()
        released.wait(10)
        start_response("200 OK", [])
        return [environ["wsgi.url_scheme"].encode()]

    authority = CertificateAuthority(tmp_path)
    server = Server(slow, 0, authority.server_context())
    server.start()
    context = ssl.create_default_context(cafile=authority.certificate)
    with (
        socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ThreadPoolExecutor(1) as executor,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert entered.wait(10)
        stopped = executor.submit(server.stop)
        assert stopping.wait(10)
        released.set()
        assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(b"\r\n\r\nhttps")
        stopped.result(10)


def test_server_says_goodbye_as_tls_demands(anybody: Visitor) -> None:
    """A connection which just ends may have been cut off by anybody."""
    context = anybody.context()
    with (
        socket.create_connection(address(anybody.sandbox), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_what_is_no_handshake_is_no_failure(
    anybody: Visitor, beginning: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(address(anybody.sandbox), timeout=10) as connection:
        connection.sendall(beginning)
    assert anybody.request("GET", "/sandbox/marketplace/").status == 200
    anybody.sandbox.stop()
    assert not caplog.records


def test_large_bodies_through_tls(anybody: Visitor) -> None:
    body = b"x" * 3_000_000
    response = anybody.request("POST", "/sandbox/one-proxy/pswd/xmlrpc", body, login="demo:demo-pass")
    assert response.status == 200
    assert b"Server returned HTTP response code: 500" in response.body


def test_driver_with_password(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    assert [node.id for node in driver.list_nodes()] == [node.id]
    volume = driver.create_volume(1, "data")
    assert volume.id in [volume.id for volume in driver.list_volumes()]
    requests = sandbox.request_log
    assert {request.service for request in requests} == {"compute", "pdisk", "marketplace"}


def test_driver_with_certificate() -> None:
    with Sandbox(tls=True, certificate=DN, boot_seconds=0) as sandbox:
        text = sandbox.config_file.read_text()
        assert not re.search("^(username|password)", text, re.MULTILINE)
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
        driver.create_volume(1, "data")
        location = sandbox.location("sandbox")
        assert f"<UNAME>{UNAME}</UNAME>" in location.oned.document(int(node.id))
        assert {disk.owner for disk in location.disks.disks() if disk.tag == "data"} == {DN}
        assert [node.id for node in driver.list_nodes()] == [node.id]


def test_driver_which_does_not_know_the_authority(sandbox: Sandbox, tmp_path: Path) -> None:
    config = tmp_path / "stratuslab-user.cfg"
    config.write_text(re.sub("ca_certificate = .*\n", "", sandbox.config_file.read_text()))
    driver = StratusLabNodeDriver("default", stratuslab_user_config=config)
    with pytest.raises(TlsError):
        driver.list_nodes()


def test_certificate_needs_tls() -> None:
    with pytest.raises(ValueError, match="without TLS"):
        Sandbox(certificate=DN)


def test_command() -> None:
    show = "import os; print(open(os.environ['STRATUSLAB_CONFIG']).read())"
    ended = run_python(show, "--tls", "--certificate", DN)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^ca_certificate = /.*\.pem$", ended.stdout, re.MULTILINE)
    assert re.search(r"^pem_certificate = /.*\.pem$", ended.stdout, re.MULTILINE)
    assert re.search(r"^endpoint = https://127", ended.stdout, re.MULTILINE)


def test_command_tells_where_the_authority_is() -> None:
    with served("--tls") as place:
        authority = Path(place["ca_certificate"])
        context = ssl.create_default_context(cafile=authority)
        url = urlsplit(place["locations"]["sandbox"]["endpoint"])
        with (
            socket.create_connection(("localhost", int(url.port or 0)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
    assert not authority.exists()
