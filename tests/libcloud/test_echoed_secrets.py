"""Servers and proxies that repeat what they were told: no error, cause or log record does."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import re
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import libcloud
import pytest
from libcloud.common.base import Connection
from libcloud.utils.loggingconnection import LoggingConnection

from stratuslab.client.errors import StratusLabError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from tests.libcloud.conftest import ScriptedServer

PASSWORD = "p%2F \"é&<'/\\☃:x"
UTF8 = PASSWORD.encode()
FORMS = {
    "as it is": PASSWORD,
    "quoted": quote(PASSWORD),
    "quoted whole": quote(PASSWORD, safe=""),
    "quoted in lower case": re.sub("%..", lambda found: found[0].lower(), quote(PASSWORD)),
    "of a form": quote_plus(PASSWORD),
    "of XML": escape(PASSWORD),
    "of an attribute": quoteattr(PASSWORD)[1:-1],
    "of HTML": html.escape(PASSWORD),
    "of JSON": json.dumps(PASSWORD)[1:-1],
    "of JSON in UTF-8": json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
    "of Python": repr(PASSWORD)[1:-1],
    "Base64": base64.b64encode(UTF8).decode(),
    "the header": base64.b64encode(b"alice:" + UTF8).decode(),
    "the header, quoted": quote(base64.b64encode(b"alice:" + UTF8), safe=""),
}
SHOWN = sorted({*FORMS.values(), UTF8.decode("latin-1"), PASSWORD[:6], "☃:x"})

ECHOES: dict[str, Callable[[bytes], bytes]] = {
    "reason": lambda secret: b"HTTP/1.1 500 " + secret + b"\r\nContent-Length: 0\r\n\r\n",
    "status line": lambda secret: secret + b"\r\n\r\n",
    "length": lambda secret: (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + secret + b"\r\n\r\n"
    ),
    "chunk": lambda secret: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + b"\r\n",
    "no header": lambda secret: b"HTTP/1.1 500 No\r\n" + secret + b"\r\nContent-Length: 0\r\n\r\n",
    "media type": lambda secret: (
        b"HTTP/1.1 200 OK\r\nContent-Type: " + secret + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "encoding": lambda secret: (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(secret) + secret
    ),
    "redirect": lambda secret: (
        b"HTTP/1.1 302 No\r\nLocation: http://" + secret + b"/\r\nContent-Length: 0\r\n\r\n"
    ),
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> Callable[[Callable[[], object]], str]:
    """Call, and return all that its error shows and that was logged, at every level."""

    def show(call: Callable[[], object]) -> str:
        with caplog.at_level(logging.DEBUG), pytest.raises(StratusLabError) as caught:
            call()
        return "".join(every_text_of(caught.value)) + caplog.text

    return show


def every_text_of(error: BaseException | None) -> Iterator[str]:
    if error is not None:
        yield from traceback.format_exception(error)
        yield f"{error} {error!r} {error.args} {error.__dict__}"
        yield from every_text_of(error.__cause__)
        yield from every_text_of(error.__context__)


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SHOWN if secret in text]


def at(url: str) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("alice", PASSWORD, host=url, timeout=10)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_what_is_no_answer(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    shown: Callable[[Callable[[], object]], str],
    echo: Callable[[bytes], bytes],
    form: str,
) -> None:
    driver = at(serve(echo(form.encode())).url)

    assert secrets_in(shown(driver.list_nodes)) == []
    assert secrets_in(shown(driver.list_volumes)) == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_is_a_refusal(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    shown: Callable[[Callable[[], object]], str],
    form: str,
) -> None:
    message = json.dumps({"message": f"no {form}!"}).encode()
    text = shown(at(serve(answer(message, "409 Conflict", "application/json")).url).list_volumes)
    assert "409 Conflict: no ***!" in text
    assert secrets_in(text) == []

    members = (
        "<member><name>faultCode</name><value><int>-1</int></value></member>"
        f"<member><name>faultString</name><value>no {escape(form)}!</value></member>"
    )
    body = f"<methodResponse><fault><value><struct>{members}</struct></value></fault></methodResponse>"
    text = shown(at(serve(answer(body.encode())).url).list_nodes)
    assert "no ***!" in text
    assert secrets_in(text) == []


def test_a_document_named_like_a_password(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    shown: Callable[[Callable[[], object]], str],
) -> None:
    server = serve(answer(b"<opensesame/>"))
    driver = StratusLabNodeDriver("alice", "opensesame", host=server.url, timeout=10)

    for call in (driver.list_nodes, lambda: driver.ex_get_node_details("5")):
        assert "opensesame" not in shown(call)


def test_a_refusal_without_end_is_cut(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    shown: Callable[[Callable[[], object]], str],
) -> None:
    body = json.dumps({"message": "x" * 1_000_000 + "\x1b[31m"}).encode()
    with pytest.raises(StratusLabError) as caught:
        at(serve(answer(body, "409 Conflict", "application/json")).url).list_volumes()

    assert len(str(caught.value)) < 3000


def test_a_terminal_is_not_told_what_to_do(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    body = json.dumps({"message": "\x1b[31mred\x07\nline"}).encode()
    with pytest.raises(StratusLabError) as caught:
        at(serve(answer(body, "409 Conflict", "application/json")).url).list_volumes()

    assert str(caught.value).endswith("\ufffd[31mred\ufffd\nline")


def test_a_proxy_that_repeats_its_password(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    shown: Callable[[Callable[[], object]], str],
) -> None:
    proxy = serve(b"HTTP/1.1 407 opensesame is wrong\r\nContent-Length: 0\r\n\r\n")
    url = proxy.url.replace("//", "//bob:opensesame@")
    driver = StratusLabNodeDriver("alice", "secret", host="https://127.0.0.1:9", timeout=10, proxy_url=url)

    text = shown(driver.list_nodes)
    assert "407 *** is wrong" in text
    assert "opensesame" not in text


@pytest.mark.parametrize(
    "url",
    [
        "http://bob:opensesame@127.0.0.1:99999",
        "http://bob:opensesame@[bad",
        f"http://bob:opensesame@{'a' * 70}.x:3128",
        "ftp://bob:opensesame@127.0.0.1:9",
        "bob:opensesame@127.0.0.1:9",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_in_the_environment_that_is_none(
    shown: Callable[[Callable[[], object]], str], monkeypatch: pytest.MonkeyPatch, scheme: str, url: str
) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", url)
    section = f"endpoint = {scheme}://cloud.invalid:9/one-proxy/xmlrpc\nallow_plain_http = true\n"
    text = f"[default]\nselected_section = a\n[a]\nusername = alice\npassword = secret\n{section}"
    driver = StratusLabNodeDriver(stratuslab_user_config=io.StringIO(text), timeout=10)

    text = shown(driver.list_nodes)
    assert "the proxy which HTTP_PROXY or HTTPS_PROXY names, is not valid" in text
    assert "opensesame" not in text


@pytest.fixture
def debug_log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    log = io.StringIO()
    monkeypatch.setattr(LoggingConnection, "log", None)
    monkeypatch.setattr(Connection, "conn_class", Connection.conn_class)
    libcloud.enable_debug(log)  # type: ignore[no-untyped-call]  # Libcloud's own has no types
    return log


def test_libclouds_debug_log_does_not_show_the_session(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], debug_log: io.StringIO
) -> None:
    server = serve(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    driver = StratusLabNodeDriver("alice", PASSWORD, host=server.url.rpartition(":")[0], port=2633)
    with pytest.raises(StratusLabError):
        driver.list_nodes()

    assert "<string>alice:***</string>" in debug_log.getvalue()
    assert secrets_in(debug_log.getvalue()) == []


def test_libclouds_debug_log_does_not_show_the_proxys_password(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], debug_log: io.StringIO
) -> None:
    proxy = serve(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    url = proxy.url.replace("//", "//bob:opensesame@")
    for driver in (
        StratusLabNodeDriver("alice", PASSWORD, host="http://127.0.0.1:9", proxy_url=url),
        at("http://127.0.0.1:9"),
    ):
        driver.connection.set_http_proxy(url)
        with pytest.raises(StratusLabError):
            driver.list_nodes()

    assert "bob:***@" in debug_log.getvalue()
    assert "opensesame" not in debug_log.getvalue()
    assert b"Proxy-Authorization: Basic Ym9iOm9wZW5zZXNhbWU=" in proxy.received[0]
