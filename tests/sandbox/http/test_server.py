from __future__ import annotations

import http.client
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Request, Response

from stratuslab.sandbox.http.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tell what has arrived: method, path, query, body, a header and the port of the client."""
    request = Request(environ)
    body = request.get_data().decode()
    lines = [
        request.method,
        request.path,
        request.query_string.decode(),
        body,
        request.headers.get("X-A", ""),
    ]
    response = Response("\n".join([*lines, environ["REMOTE_PORT"]]))
    return response(environ, start_response)


@contextmanager
def serving(application: WSGIApplication = echo) -> Iterator[Server]:
    server = Server(application, 0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def connection(server: Server) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10))


def exchange(server: Server, request: bytes) -> bytes:
    """Send some bytes and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def ask(client: http.client.HTTPConnection, method: str = "GET", path: str = "/") -> list[str]:
    client.request(method, path)
    return client.getresponse().read().decode().split("\n")


def test_application_gets_the_whole_request(server: Server) -> None:
    with connection(server) as client:
        client.request("POST", "/a%20b/%C3%A9?c=%20d", "été".encode(), {"X-A": "1"})
        response = client.getresponse()
        lines = response.read().decode().split("\n")
    assert lines[:5] == ["POST", "/a b/é", "c=%20d", "été", "1"]
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Date"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_every_method_is_the_applications_business(server: Server, method: str) -> None:
    with connection(server) as client:
        assert ask(client, method)[0] == method


def test_connection_is_kept(server: Server) -> None:
    with connection(server) as client:
        ports = {ask(client)[-1] for _ in range(200)}
    assert len(ports) == 1


def test_several_connections_are_served_at_a_time() -> None:
    barrier = threading.Barrier(8, timeout=10)

    def meeting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        barrier.wait()
        return echo(environ, start_response)

    with serving(meeting) as server, ThreadPoolExecutor(8) as executor:

        def visit(_: int) -> str:
            with connection(server) as client:
                return ask(client)[-1]

        assert len({*executor.map(visit, range(8))}) == 8


def test_requests_may_come_before_the_answers(server: Server) -> None:
    answers = exchange(server, b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_connection_is_closed_for_those_who_ask(server: Server, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
        client.sendall(head)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"\r\nConnection: close\r\n" in answer
    assert b"\r\n\r\nGET\n/\n" in answer


def test_head_has_the_length_but_no_body(server: Server) -> None:
    with connection(server) as client:
        client.request("HEAD", "/")
        response = client.getresponse()
        assert int(response.headers["Content-Length"]) > 0
        assert response.read() == b""
        assert ask(client)[0] == "GET"


def test_large_bodies_in_both_directions(server: Server) -> None:
    body = "x" * 3_000_000
    with connection(server) as client:
        client.request("POST", "/", body)
        assert client.getresponse().read().decode().split("\n")[3] == body
        assert ask(client)[0] == "GET"


def test_client_which_waits_for_permission_to_send(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert b"\nabc\n" in client.recv(65536)


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: x", b"400"),
        (b"Content-Length: -1", b"400"),
    ],
)
def test_body_of_unknown_length_is_refused(server: Server, field: bytes, status: bytes) -> None:
    answer = exchange(server, b"POST / HTTP/1.1\r\n" + field + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in answer


def test_client_which_hangs_up_disturbs_nobody(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    for beginning in (b"", b"GET", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
            client.sendall(beginning)
    with connection(server) as client:
        assert ask(client)[0] == "GET"
    assert not caplog.records


def test_failure_of_the_application(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("broken")

    with serving(broken) as server, connection(server) as client:
        client.request("GET", "/")
        response = client.getresponse()
        assert (response.status, response.read()) == (500, b"")
        client.request("GET", "/")
        assert client.getresponse().status == 500
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert capsys.readouterr() == ("", "")


def test_quiet(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with connection(server) as client:
        ask(client)
    exchange(server, b"nonsense\r\n\r\n")
    assert capsys.readouterr() == ("", "")


def test_half_a_request_is_never_carried_out() -> None:
    asked = []

    def recording(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked.append(environ["REQUEST_METHOD"])
        return echo(environ, start_response)

    with serving(recording) as server:
        assert exchange(server, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc") == b""
    assert asked == []


def test_stop_closes_idle_connections() -> None:
    before = threading.active_count()
    server = Server(echo, 0)
    server.start()
    with connection(server) as first, connection(server) as second:
        ask(first)
        ask(second)
        server.stop()
        assert threading.active_count() == before
        assert first.sock.recv(1) == second.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError), connection(server) as late:
        ask(late)


def test_stop_lets_an_answer_under_way_be_finished() -> None:
    entered, released = threading.Event(), threading.Event()

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        released.wait(10)
        return echo(environ, start_response)

    server = Server(slow, 0)
    server.start()
    with connection(server) as client, ThreadPoolExecutor(2) as executor:
        answer = executor.submit(ask, client)
        assert entered.wait(10)
        stopped = executor.submit(server.stop)
        released.set()
        assert answer.result(10)[0] == "GET"
        stopped.result(10)


def test_port_in_use() -> None:
    with serving() as server, pytest.raises(OSError, match="in use"):
        Server(echo, server.server_port)


def test_a_client_of_http_1_0_is_told_that_the_connection_is_kept(server: Server) -> None:
    first = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    answer = exchange(server, first + b"GET /b HTTP/1.0\r\n\r\n")
    assert answer.count(b"200 OK") == 2
    assert answer.count(b"Connection: keep-alive") == 1
    assert answer.count(b"Connection: close") == 1


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://127.0.0.1:8080/a/b?c=//d", "/a/b"),
        ("HTTPS://x", "/"),
        ("//a///b//", "/a/b/"),
        ("/a//b", "/a/b"),
    ],
)
def test_how_a_path_may_be_written(server: Server, target: str, path: str) -> None:
    answer = exchange(server, f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    assert answer.partition(b"\r\n\r\n")[2].split(b"\n")[1].decode() == path


def test_a_put_says_how_long_it_is(server: Server) -> None:
    assert exchange(server, b"PUT /a HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 411 ")
    assert exchange(server, b"PUT /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
