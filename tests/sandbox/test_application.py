from __future__ import annotations

import gzip
import xmlrpc.client
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import DISKS, FORM, ONED, PROXY

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox import Sandbox
    from tests.sandbox.conftest import Client

PROTECTED = [PROXY, DISKS]
MINE = (-3, -1, -1, -1)


def call(method: str, *parameters: Any) -> bytes:
    return xmlrpc.client.dumps(parameters, method).encode()


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize(
    "login", ["", "demo:wrong", "demo:", "demo:demo-pass ", "nobody:demo-pass", "guest:demo-pass", "démo:é"]
)
def test_without_the_right_password_nobody_comes_in(client: Client, path: str, login: str) -> None:
    answer = client.request("POST", path, call("one.vmpool.info", "x", *MINE), login=login)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'basic realm="StratusLab Password Realm"'
    assert answer.headers["Content-Type"] == "text/html; charset=ISO-8859-1"
    assert f"Problem accessing {path}. Reason:\n<pre>    Unauthorized</pre>".encode() in answer.body
    assert b"pass" not in answer.body


@pytest.mark.parametrize("path", PROTECTED)
def test_another_scheme_than_basic_is_no_login(client: Client, path: str) -> None:
    answer = client.request("POST", path, login="", Authorization="Bearer demo:demo-pass")
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/paris/one-proxy/cert/xmlrpc", "/paris/pdisk/cert/disks/"])
def test_without_a_certificate_nobody_comes_in(client: Client, path: str) -> None:
    answer = client.request("POST", path, call("one.vmpool.info", "x", *MINE))
    assert answer.status == 403
    assert b"<pre>    Forbidden</pre>" in answer.body


def test_proxy_ignores_the_session_but_needs_one(client: Client) -> None:
    expected = [True, "<VM_POOL></VM_POOL>", 0]
    for session in ("demo:wrong", "dummy", "", 7):
        assert client.values(PROXY, "one.vmpool.info", session, *MINE) == expected
    with pytest.raises(xmlrpc.client.Fault, match="Not enough parameters"):
        client.values(PROXY, "one.vmpool.info", *MINE)
    assert client.values(PROXY, "one.hostpool.info") == [True, "<HOST_POOL></HOST_POOL>", 0]


def test_proxy_speaks_apaches_dialect(client: Client) -> None:
    answer = client.request("POST", PROXY, call("one.vm.info", "x", 9))
    assert answer.headers["Content-Type"] == "text/xml"
    assert answer.headers["Content-Encoding"] is None
    assert answer.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"><params><param><value>'
        b"<array><data><value><boolean>0</boolean></value>"
        b"<value>[VirtualMachineInfo] Error getting virtual machine [9].</value><value><i4>1024</i4></value>"
        b"</data></array></value></param></params></methodResponse>"
    )


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "x, gzip"])
def test_proxy_compresses_for_those_who_ask(client: Client, accepted: str) -> None:
    plain = client.request("POST", PROXY, call("one.vmpool.info", "x", *MINE))
    packed = client.request("POST", PROXY, call("one.vmpool.info", "x", *MINE), Accept_Encoding=accepted)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize(("path", "code"), [(PROXY, 0), (ONED, -503)])
def test_body_which_is_no_call(client: Client, path: str, code: int) -> None:
    answer = client.request("POST", path, b"<methodCall>")
    assert answer.status == 200
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(answer.body)
    assert caught.value.faultCode == code


def test_text_survives_the_way_there_and_back(client: Client) -> None:
    text = "été 日本 Ω & <b> ' tab\there\nline"
    template = f'A = "{text}"\nCONTEXT = [ B = "{text} \\"x\\"" ]'
    assert client.values(PROXY, "one.vm.allocate", "x", template) == [True, 0, 0]
    ok, document, _ = client.values(PROXY, "one.vm.info", "x", 0)
    assert ok
    assert f"<A><![CDATA[{text}]]></A>" in document
    assert f'<B><![CDATA[{text} "x"]]></B>' in document


def test_oned_itself_asks_for_the_session(client: Client) -> None:
    refused = [False, "[VirtualMachinePoolInfo] User couldn't be authenticated, aborting call.", 256]
    for session in ("demo:wrong", "demo", "", ":x", "oneadmin:x", "serveradmin:x"):
        assert client.values(ONED, "one.vmpool.info", session, *MINE, login="") == refused
        assert client.values(ONED, "one.vmpool.info", session, login="") == refused
    accepted = [True, "<VM_POOL></VM_POOL>", 0]
    assert client.values(ONED, "one.vmpool.info", "demo:demo-pass", *MINE, login="") == accepted


def test_oned_itself_welcomes_strangers(client: Client) -> None:
    session = "CN%3DJohn+Doe%2CO%3DOrg:aaaa"
    assert client.values(ONED, "one.vm.allocate", session, "NAME = mine", login="")[0] is True
    document = client.values(ONED, "one.vm.info", session, 0, login="")[1]
    assert "<UNAME>CN%3DJohn+Doe%2CO%3DOrg</UNAME><GNAME>users</GNAME>" in document
    assert client.request("POST", PROXY, call("one.vm.info", "x", 0), login="stranger:x").status == 401


def test_oned_itself_listens_to_no_other_page(client: Client) -> None:
    body = call("one.vm.allocate", "stranger:x", "NAME = theirs")
    answer = client.request("POST", ONED, body, login="", Origin="http://evil.example.org")
    assert answer.status == 403
    assert client.values(ONED, "one.vm.info", "stranger:x", 0, login="")[2] == 1024


@pytest.mark.parametrize(
    ("parameters", "text"),
    [((), "Not enough parameters"), ((7,), "Parameter that is supposed to be a string is not")],
)
def test_oned_itself_needs_a_session(client: Client, parameters: tuple[object, ...], text: str) -> None:
    with pytest.raises(xmlrpc.client.Fault, match=text) as caught:
        client.values(ONED, "one.vmpool.info", *parameters, login="")
    assert caught.value.faultCode == -501


def test_oned_itself_speaks_xmlrpc_c(client: Client) -> None:
    body = call("one.vm.nosuch", "demo:demo-pass")
    answer = client.request("POST", ONED, body, login="", Accept_Encoding="gzip")
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.headers["Content-Encoding"] is None
    assert b"<value><string>Method 'one.vm.nosuch' not defined</string></value></member>\r\n" in answer.body


def test_who_says_to_answer(client: Client) -> None:
    oned = client.request("POST", ONED, call("one.vm.info", "demo:demo-pass", 0), login="")
    assert oned.headers.get_all("Server") == ["Xmlrpc-c_Abyss/1.33.14"]
    for path in (PROXY, DISKS, "/paris/marketplace/metadata"):
        assert client.request("GET", path).headers.get_all("Server") == ["nginx/1.0.15"]
    for path in ("/", "/_sandbox/state", "/elsewhere"):
        assert client.request("GET", path).headers.get_all("Server") == ["stratuslab-sandbox"]


def test_proxy_and_oned_know_the_same_users(client: Client) -> None:
    client.values(PROXY, "one.vm.allocate", "x", "CPU = 1")
    assert client.values(ONED, "one.vm.info", "demo:demo-pass", 0, login="")[0] is True
    assert client.values(ONED, "one.vm.info", "guest:guest-pass", 0, login="")[2] == 512


@pytest.mark.parametrize("path", [PROXY, ONED])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_compute_takes_posts_only(client: Client, path: str, method: str) -> None:
    answer = client.request(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_call_of_more_than_half_a_mebibyte(client: Client) -> None:
    padding = "#" * (512 * 1024)
    answer = client.request("POST", ONED, call("one.vm.allocate", "demo:demo-pass", padding))
    assert answer.status == 500
    with pytest.raises(xmlrpc.client.Fault, match="Failed to read server's response"):
        client.values(PROXY, "one.vm.allocate", "x", padding)


@pytest.mark.parametrize(
    "path",
    [
        "/paris",
        "/paris/",
        "/nowhere/RPC2",
        "/paris/one-proxy/xmlrpc",
        "/paris/one-proxy/xmlrpc/pswd/",
        "/paris/one-proxy/pswd/xmlrpc/x",
        "/paris/pdisk/disks/",
        "/paris/elsewhere",
    ],
)
def test_nothing_there(client: Client, sandbox: Sandbox, path: str) -> None:
    answer = client.request("GET", path)
    assert answer.status == 404
    assert b"Not Found" in answer.body
    assert not sandbox.request_log


def test_error_page_shows_no_markup_of_the_client(client: Client) -> None:
    answer = client.request("GET", "/%3Cb%3E%E2%98%83")
    assert answer.status == 404
    assert b"Problem accessing /&lt;b&gt;&#9731;." in answer.body


@pytest.mark.parametrize("path", [f"{PROXY}/", "/paris/RPC2/"])
def test_slash_at_the_end_does_no_harm(client: Client, path: str) -> None:
    assert client.values(path, "one.vmpool.info", "demo:demo-pass", *MINE) == [True, "<VM_POOL></VM_POOL>", 0]


def test_locations_share_nothing_but_their_users(client: Client) -> None:
    client.values(PROXY, "one.vm.allocate", "x", "NAME = here")
    lyon = "/lyon/one-proxy/pswd/xmlrpc"
    assert client.values(lyon, "one.vmpool.info", "x", *MINE) == [True, "<VM_POOL></VM_POOL>", 0]
    assert client.values(lyon, "one.vm.info", "x", 0)[2] == 1024


def test_all_services_see_what_time_has_done(client: Client, sandbox: Sandbox) -> None:
    """The snapshot of a VM is in the list of disks though nobody has looked at the VM."""
    identifier = sandbox.location("paris").catalogue.entries()[0].identifier
    source = f"{sandbox.endpoints['paris']['marketplace_endpoint']}/metadata/{identifier}"
    client.values(PROXY, "one.vm.allocate", "x", f'DISK = [ SOURCE = "{source}" ]')
    assert client.disks() == []
    sandbox.clock.step(8)
    (snapshot,) = client.disks()
    assert snapshot["identifier"].startswith("snapshot:")


def test_request_log(connect: Callable[[], Client], sandbox: Sandbox) -> None:
    first, second = connect(), connect()
    first.values(PROXY, "one.vmpool.info", "x", *MINE)
    first.request("GET", PROXY)
    first.request("POST", PROXY, call("one.vm.info", "x", 0), login="")
    first.request("POST", "/lyon/pdisk/pswd/disks/", b"size=1", **FORM)
    first.request("GET", "/lyon/pdisk/cert/disks/00000000-0000-4000-8000-000000000000")
    second.request("GET", "/paris/marketplace/metadata")
    second.request("GET", "/paris/marketplace/metadata/BEE8-MMAw-Lk_IgsEExAy3d9R8h/")
    second.request("POST", "/lyon/RPC2", b"nonsense")
    assert [
        (entry.service, entry.operation, entry.location, entry.status) for entry in sandbox.request_log
    ] == [
        ("compute", "one.vmpool.info", "paris", 200),
        ("compute", "GET xmlrpc", "paris", 405),
        ("compute", "one.vm.info", "paris", 401),
        ("pdisk", "POST /disks/", "lyon", 201),
        ("pdisk", "GET /disks/UUID", "lyon", 403),
        ("marketplace", "GET /metadata", "paris", 200),
        ("marketplace", "GET /metadata/ID", "paris", 404),
        ("compute", "POST xmlrpc", "lyon", 200),
    ]
    ports = [entry.connection for entry in sandbox.request_log]
    assert len({*ports[:5]}) == len({*ports[5:]}) == 1
    assert ports[0] != ports[-1]


def test_password_is_nowhere_to_be_read(sandbox: Sandbox) -> None:
    secret = "demo-pass"
    assert secret not in repr(sandbox) + repr(sandbox.request_log) + repr(sandbox.location("paris"))
