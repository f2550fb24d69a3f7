"""What goes wrong on the way: one error of ours, with place and operation, without a secret."""

from __future__ import annotations

import gzip
import io
import logging
import select
import socket
import traceback
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest
import requests
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError, ProviderError
from libcloud.compute.base import Node, NodeImage
from libcloud.compute.types import NodeState

from stratuslab.client import errors
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer

PASSWORD = "kept-%-secret"
DISK = "95b75092-17d2-459f-9fa0-cd1deaa721f1"
IMAGE = "BN1EEkPiBx87_uLj2-sdybSI-Xb"

OPERATIONS: dict[str, tuple[str, Callable[[StratusLabNodeDriver], Any]]] = {
    "list_nodes": ("one.vmpool.info", lambda driver: driver.list_nodes()),
    "details": ("one.vm.info", lambda driver: driver.ex_get_node_details("1")),
    "create_node": (
        "one.vm.allocate",
        lambda driver: driver.create_node(
            "web", driver.list_sizes()[0], NodeImage(f"{driver.connection.endpoint.url}/x", NOTHING, driver)
        ),
    ),
    "list_images": ("GET /metadata", lambda driver: driver.list_images()),
    "get_image": ("GET /metadata/ID", lambda driver: driver.get_image(IMAGE)),
    "list_volumes": ("GET /disks/", lambda driver: driver.list_volumes()),
    "ex_get_volume": ("GET /disks/UUID", lambda driver: driver.ex_get_volume(DISK)),
    "create_volume": ("POST /disks/", lambda driver: driver.create_volume(1, "x")),
}
every_operation = pytest.mark.parametrize(("operation", "call"), OPERATIONS.values(), ids=OPERATIONS)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once, and look just once for what a lost answer may have made."""
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)
    for module in ("transport.settlement", "pdisk.persistent_disk"):
        monkeypatch.setattr(f"stratuslab.client.{module}.settle", look_once)


def look_once(look: Callable[[], Any], grace: float) -> Any:
    assert grace >= 0
    try:
        return look()
    except errors.StratusLabError:
        return None


@pytest.fixture(autouse=True)
def _nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def at(url: str, timeout: float = 30) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("alice", PASSWORD, host=url, timeout=timeout)


def failure(call: Callable[[], Any]) -> errors.StratusLabError:
    """Return the error of a call, after a look for the password in all that it shows."""
    records = io.StringIO()
    handler = logging.StreamHandler(records)
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(LibcloudError) as caught:
            call()
    finally:
        logging.getLogger().removeHandler(handler)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(error.__dict__)
    assert PASSWORD not in shown + records.getvalue()
    assert getattr(error.__cause__, "request", None) is None
    assert isinstance(error, errors.StratusLabError)
    return error


def settled(error: errors.StratusLabError, operation: str) -> errors.StratusLabError:
    """Return the failure itself: of what may have made something, it is the cause of the error."""
    if operation not in ("one.vm.allocate", "POST /disks/"):
        return error
    assert isinstance(error, errors.UnsettledError)
    assert named(error, operation)
    assert error.token in str(error)
    assert isinstance(error.__cause__, errors.StratusLabError)
    return error.__cause__


def named(error: errors.StratusLabError, operation: str) -> bool:
    return str(error).startswith(f"location '127.0.0.1': {operation}: ")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "image" not in name])
def test_wrong_password(sandbox: Sandbox, name: str) -> None:
    operation, call = OPERATIONS[name]
    error = failure(lambda: call(at(f"{sandbox.url}/here")))

    assert isinstance(error, InvalidCredsError)
    assert named(error, operation)
    assert "the password of 'alice' was refused" in str(error)
    assert error.http_code == 401


@every_operation
def test_cloud_down(operation: str, call: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(lambda: call(at(f"http://127.0.0.1:{port}")))

    assert isinstance(error, errors.UnreachableError)
    assert isinstance(error, requests.exceptions.ConnectionError)
    assert named(error, operation)
    assert "Connection refused" in str(error)


@every_operation
def test_time_out(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    operation: str,
    call: Callable[..., Any],
) -> None:
    def wait_for_the_end(connection: socket.socket) -> None:
        connection.recv(1)

    server = serve(wait_for_the_end)
    error = settled(failure(lambda: call(at(server.url, timeout=0.3))), operation)

    assert isinstance(error, errors.AnswerTimeoutError)
    assert isinstance(error, requests.exceptions.Timeout)
    assert named(error, operation)
    assert "within 0.3 s" in str(error)


@every_operation
def test_time_out_of_an_answer_that_trickles(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    operation: str,
    call: Callable[..., Any],
) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n<metadata>")
        while not select.select([connection], [], [], 0.02)[0]:
            connection.sendall(b" ")

    error = settled(failure(lambda: call(at(serve(trickle).url, timeout=0.3))), operation)

    assert isinstance(error, errors.AnswerTimeoutError)
    assert named(error, operation)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("500 Internal Server Error", errors.ServiceError),
        ("503 Service Unavailable", errors.UnavailableError),
        ("502 Bad Gateway", errors.UnavailableError),
        ("404 Not Found", errors.ServiceError),
        ("403 Forbidden", errors.ForbiddenError),
        ("405 Method Not Allowed", errors.NotSupportedError),
        ("204 No Content", errors.ServiceError),
    ],
)
@every_operation
def test_status(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    operation: str,
    call: Callable[..., Any],
    status: str,
    expected: type,
) -> None:
    body = b"" if status.startswith("204") else b"<html>no</html>"
    server = serve(answer(body, status, "text/html"))
    error = failure(lambda: call(at(server.url)))
    if status[0] in "52":
        error = settled(error, operation)

    assert type(error) is expected
    assert isinstance(error, ProviderError)
    assert error.http_code == int(status[:3])
    assert named(error, operation)
    assert status[:3] in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html><body>Welcome</body></html>",
        b"<html><body>Welcome</body></html>",
        b'<?xml version="1.0"?><methodResponse><params>',
        b"<metadata><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>",
        b'[{"uuid": "x", ',
        b"\xff\xfe\x00garbage",
        b"{}",
        b"[[]]",
        b"null",
        b"[" * 100_000,
        b"<methodResponse/>",
        b"<methodResponse><params><param><value>x</value></param></params></methodResponse>",
    ],
    ids=[
        "empty",
        "html",
        "xhtml",
        "truncated xml-rpc",
        "truncated metadata",
        "truncated json",
        "garbage",
        "object",
        "list",
        "null",
        "nested",
        "no params",
        "no array",
    ],
)
@every_operation
def test_not_the_protocol(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    operation: str,
    call: Callable[..., Any],
    body: bytes,
) -> None:
    error = settled(failure(lambda: call(at(serve(answer(body)).url))), operation)

    assert isinstance(error, errors.MalformedAnswerError)
    assert isinstance(error, MalformedResponseError)
    assert named(error, operation)


def test_a_node_is_not_taken_for_gone_because_a_path_is_wrong(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    driver = at(serve(answer(b"<html>no</html>", "404 Not Found", "text/html")).url)
    node = Node("7", "web", NodeState.RUNNING, [], [], driver)

    assert type(failure(lambda: driver.destroy_node(node))) is errors.ServiceError
    assert "it is not at http://127.0.0.1:" in str(failure(lambda: driver.ex_get_node_details("7")))


@every_operation
def test_connection_cut_in_the_middle(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    operation: str,
    call: Callable[..., Any],
) -> None:
    error = settled(failure(lambda: call(at(serve(answer(b"<half>", length=1000)).url))), operation)

    assert type(error) is errors.AnswerLostError
    assert named(error, operation)


@every_operation
def test_connection_cut_before_the_answer(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    operation: str,
    call: Callable[..., Any],
) -> None:
    server = serve(lambda connection: None)
    error = settled(failure(lambda: call(at(server.url))), operation)

    assert type(error) is errors.AnswerLostError
    assert named(error, operation)
    sent = sum(first_line(request) == first_line(server.received[0]) for request in server.received)
    assert sent == (1 if operation == "POST /disks/" else 4) or operation == "one.vm.allocate"


@pytest.mark.parametrize("name", ["list_nodes", "create_node", "list_volumes", "create_volume"])
def test_credentials_follow_no_redirect(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], name: str
) -> None:
    elsewhere = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
    operation, call = OPERATIONS[name]
    error = failure(lambda: call(at(serve(head.encode()).url)))

    assert named(error, operation)
    assert "redirects elsewhere" in str(error)
    assert elsewhere.received == []


@pytest.mark.parametrize("status", ["200 OK", "302 Found\r\nLocation: /elsewhere", "500 Error"])
def test_an_endless_answer_is_given_up(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
) -> None:
    monkeypatch.setattr("stratuslab.client.transport.connection.MAX_WHOLE_ANSWER_BYTES", 1 << 20)

    def pour(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        while True:
            connection.sendall(b"<" * 65536)

    error = failure(lambda: at(serve(pour).url).list_volumes())

    assert isinstance(error, errors.MalformedAnswerError)
    assert "longer than 1 MiB" in str(error)


@pytest.mark.parametrize(
    "head",
    [
        "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        "200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n",
        "200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n<\\/>",
        "200 OK\r\n" + "X: y\r\n" * 1000,
        "9999 OK\r\n\r\n",
        "101 Switching Protocols\r\n\r\n",
        "103 Early Hints\r\n\r\n",
        "302 Found\r\nLocation: http://[::\r\nContent-Length: 0\r\n\r\n",
        "302 Found\r\nLocation: \xff\xfe://x\r\nContent-Length: 0\r\n\r\n",
        f"302 Found\r\nLocation: http://{'a' * 70}.x/\r\nContent-Length: 0\r\n\r\n",
        "302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "503 No\r\nRetry-After: Mon, 01 Jan 2024 00:00:00 +99999999999999\r\nContent-Length: 0\r\n\r\n",
        "503 No\r\nRetry-After: Mon, 01 Jan 99999999999999 00:00:00\r\nContent-Length: 0\r\n\r\n",
    ],
)
@every_operation
def test_heads_that_are_none(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    operation: str,
    call: Callable[..., Any],
    head: str,
) -> None:
    server = serve(f"HTTP/1.1 {head}".encode("latin-1"))
    error = failure(lambda: call(at(server.url)))

    assert named(error, operation)


def test_an_endless_redirect_is_followed_and_not_read(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\n\r\n".encode())
        while True:
            connection.sendall(b"<" * 65536)

    elsewhere = serve(answer(b"<metadata/>"))

    assert at(serve(pour).url).list_images() == []


def test_no_request_follows_an_answer_that_is_none(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    """The answer proper may still come, and would be taken for that of the next request."""
    followed: list[bytes] = []

    def hint(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        followed.append(connection.recv(65536))

    server = serve(hint)
    driver = at(server.url)
    for _ in range(2):
        assert isinstance(failure(driver.list_nodes), errors.MalformedAnswerError)

    assert len(server.received) == 2
    assert followed[0] == b""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (256, InvalidCredsError),
        (512, errors.ForbiddenError),
        (1024, errors.NotFoundError),
        (2048, errors.ConflictError),
        (4096, errors.BadRequestError),
        (8192, errors.ServiceError),
        (77, errors.ServiceError),
    ],
)
def test_codes_of_opennebula(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    code: int,
    expected: type,
) -> None:
    values = f"<value><boolean>0</boolean></value><value>what it says</value><value><i4>{code}</i4></value>"
    error = failure(lambda: at(serve(answer(rpc(values))).url).list_nodes())

    assert isinstance(error, expected)
    assert isinstance(error, errors.ServiceError)
    assert (error.code, error.message) == (code, "what it says")


@pytest.mark.parametrize(
    ("code", "expected"),
    [(-501, errors.BadRequestError), (-506, errors.NotSupportedError), (0, errors.ServiceError)],
)
def test_faults(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    code: int,
    expected: type,
) -> None:
    fault = (
        f"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}</int></value>"
        "</member><member><name>faultString</name><value><string>no such thing</string></value></member>"
        "</struct></value></fault></methodResponse>"
    )
    error = failure(lambda: at(serve(answer(fault.encode())).url).list_nodes())

    assert type(error) is expected
    assert str(error).endswith(f"fault {code}: no such thing")


def test_a_server_that_repeats_the_password_is_not_quoted(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    values = (
        f"<value><boolean>0</boolean></value><value>no {PASSWORD} please</value><value><i4>512</i4></value>"
    )
    error = failure(lambda: at(serve(answer(rpc(values))).url).list_nodes())
    assert error.message == "no *** please"

    body = f'{{"message": "bad {PASSWORD}", "code": 409}}'.encode()
    error = failure(lambda: at(serve(answer(body, "409 Conflict")).url).list_volumes())
    assert str(error).endswith("409 Conflict: bad ***")


def test_the_password_is_not_in_the_body_behind_the_proxy(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    server = serve(answer(rpc("<value><boolean>1</boolean></value><value>&lt;VM_POOL/&gt;</value>")))
    at(server.url).list_nodes()

    [request] = server.received
    assert PASSWORD.encode() not in request
    assert b"Authorization: Basic " in request


def test_netrc_does_not_replace_the_credentials(sandbox: Sandbox, home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login demo password wrong\n")

    assert StratusLabNodeDriver("demo", "demo-pass", host=f"{sandbox.url}/here").list_nodes() == []


def test_a_compressed_answer_is_read(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    body = gzip.compress(rpc("<value><boolean>1</boolean></value><value>&lt;VM_POOL/&gt;</value>"))
    packed = answer(body).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)

    assert at(serve(packed).url).list_nodes() == []


def test_text_is_utf8_whatever_the_media_type_says(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    pool = escape("<VM_POOL><VM><ID>1</ID><NAME>café ☃</NAME></VM></VM_POOL>")
    body = rpc(f"<value><boolean>1</boolean></value><value>{pool}</value>")

    assert at(serve(answer(body)).url).list_nodes()[0].name == "café ☃"


@pytest.mark.parametrize(
    "value", ["<i4>7</i4>", "", "<boolean>1</boolean>"], ids=["number", "none", "boolean"]
)
def test_a_value_of_another_type_is_malformed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    value: str,
) -> None:
    second = f"<value>{value}</value>" if value else ""
    body = rpc(f"<value><boolean>1</boolean></value>{second}")

    assert isinstance(failure(lambda: at(serve(answer(body)).url).list_nodes()), errors.MalformedAnswerError)


def test_an_id_that_is_no_number_is_malformed_and_says_what_may_be(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    body = rpc("<value><boolean>1</boolean></value><value>seven</value>")
    error = failure(lambda: OPERATIONS["create_node"][1](at(serve(answer(body)).url)))

    assert isinstance(settled(error, "one.vm.allocate"), errors.MalformedAnswerError)
    assert "the VM's id is of the type str" in str(error)


@pytest.mark.parametrize(
    "document", ["&lt;VM/&gt;", "&lt;VM_POOL&gt;&lt;VM/&gt;&lt;/VM_POOL&gt;", "&lt;VM_POOL&gt;"]
)
def test_a_pool_that_is_none_is_malformed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    document: str,
) -> None:
    body = rpc(f"<value><boolean>1</boolean></value><value>{document}</value>")
    error = failure(lambda: at(serve(answer(body)).url).list_nodes())

    assert isinstance(error, errors.MalformedAnswerError)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"uuid": "u", "tag": "", "owner": "", "count": "0", "size": "much"}]',
        b'[{"uuid": "", "tag": "", "owner": "", "count": "0", "size": "1"}]',
        b'[{"uuid": 5, "tag": "", "owner": "", "count": "0", "size": "1"}]',
        b'[{"uuid": "u", "tag": "", "owner": "", "count": "0", "size": "99999999999999999999999"}]',
        b'[{"uuid": "u", "size": ' + b"9" * 5000 + b"}]",
        b'[{"uuid": "u", "size": NaN}]',
        b'[{"uuid": "u", "size": true}]',
        b'[{"uuid": "u", "size": [1]}]',
        b'"owner": "x"' + b" " * 200_000 + b"x",
    ],
)
def test_a_disk_that_is_none_is_malformed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    body: bytes,
) -> None:
    error = failure(lambda: at(serve(answer(body, media_type="application/json")).url).list_volumes())

    assert isinstance(error, errors.MalformedAnswerError)


def test_what_is_no_text_of_a_disk_is_as_if_it_were_not_there(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    odd = b'"tag": 5, "owner": {}, "type": [1], "visibility": [], "identifier": 7, "quarantine": true'
    body = f'[{{"uuid": "{DISK}", "size": 1, '.encode() + odd + b"}]"
    [volume] = at(serve(answer(body, media_type="application/json")).url).list_volumes()

    assert (volume.name, volume.size) == ("", 1)
    nothing = ("type", "visibility", "identifier", "quarantine", "snapshot_of")
    assert [volume.extra[key] for key in nothing] == [None] * 5


@pytest.mark.parametrize("uuid", ["u", "../../x", f"{DISK}/mounts", f"{DISK}\\n"])
def test_an_id_that_is_no_uuid_is_malformed_and_says_what_may_be(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    uuid: str,
) -> None:
    server = serve(answer(f'{{"uuid": "{uuid}"}}'.encode(), "201 Created"))
    error = failure(lambda: at(server.url).create_volume(1, "x"))

    assert "the disk's id is no UUID" in str(settled(error, "POST /disks/"))


@pytest.mark.parametrize("number", [-1, 2**31, 99999999999999999])
def test_an_id_that_no_vm_has_is_malformed_and_says_what_may_be(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    number: int,
) -> None:
    body = rpc(f"<value><boolean>1</boolean></value><value><i8>{number}</i8></value>")
    error = failure(lambda: OPERATIONS["create_node"][1](at(serve(answer(body)).url)))

    assert f"the VM's id is {number}" in str(settled(error, "one.vm.allocate"))


def test_what_is_said_of_another_vm_is_malformed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    body = rpc(f"<value><boolean>1</boolean></value><value>{escape('<VM><ID>7</ID></VM>')}</value>")
    driver = at(serve(answer(body)).url)

    assert "it is about VM 7" in str(failure(lambda: driver.ex_get_node_details("5")))


def test_an_error_of_one_location_names_it_and_has_no_nodes(sandbox: Sandbox) -> None:
    error = failure(lambda: at(f"{sandbox.url}/here").list_nodes())

    assert list(error.errors) == ["127.0.0.1"]
    assert error.errors["127.0.0.1"] is error
    assert error.nodes == []


def first_line(request: bytes) -> bytes:
    return request.partition(b"\r\n")[0]


def rpc(values: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><methodResponse><params><param><value><array><data>'
        f"{values}</data></array></value></param></params></methodResponse>"
    ).encode()
