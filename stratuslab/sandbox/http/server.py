"""An HTTP/1.1 server for a WSGI application, on this machine only."""

from __future__ import annotations

import io
import logging
import re
import ssl
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

from stratuslab.sandbox.fork import end_listening, replace_descriptors
from stratuslab.sandbox.http import connection_cut, tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from typing import Any

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_GRACE_SECONDS = 5.0
_FAILURE = "500 Internal Server Error"
_ABSOLUTE = re.compile("^https?://[^/?]*", re.IGNORECASE)
_SLASHES = re.compile("/{2,}")
_logger = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """Serves an application, one thread for each connection, which stays open as long as the client likes.

    The port is taken from the beginning (a free one if `port` is 0); answers come once started. With a TLS
    context it speaks HTTPS; each handshake is made in the connection's own thread.
    """

    request_queue_size = 128

    def __init__(
        self, application: WSGIApplication, port: int, tls_context: ssl.SSLContext | None = None
    ) -> None:
        self.application = application
        self._tls_context = tls_context
        self._lock = threading.Lock()
        self._connections: set[Any] = set()
        self._handlers: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        super().__init__((_HOST, port), _Handler)

    def start(self) -> None:
        """Answer requests in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the answers under way and close all connections; only after `start`."""
        end_listening(self.socket)  # first, because it wakes the thread
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            connections = set(self._connections)
        for connection in connections:
            _end_of_requests(connection)
        for handler in self._handlers:
            handler.join(_GRACE_SECONDS)

    def abandon(self) -> None:
        """Let go of all sockets, in a forked child; nothing of it reaches the clients."""
        replace_descriptors(open_one.fileno() for open_one in (self.socket, *self._connections))

    def server_bind(self) -> None:
        """Take the port, without asking a name server for the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection."""
        connection, client_address = super().get_request()
        return tls.cover(connection, self._tls_context), client_address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a new connection its thread."""
        handler = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._connections.add(request)
        handler.start()
        self._handlers = {known for known in self._handlers if known.is_alive()} | {handler}

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, at the end of its thread."""
        with self._lock:
            self._connections.discard(request)
        tls.say_goodbye(request)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Write a failure into the log, unless it is the client that hung up or broke the rules of TLS."""
        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError):
            _logger.exception("A connection has failed.")


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP like the nginx 1.0 before the real services: no chunks, and several slashes become one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def setup(self) -> None:
        tls.shake_hands(self.request)
        super().setup()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        ready = super().handle_expect_100()
        self.wfile.flush()
        return ready

    def version_string(self) -> str:
        return "stratuslab-sandbox"

    def log_message(self, *_args: object) -> None:
        pass

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        is_endless_put = self.command == "PUT" and "Content-Length" not in self.headers
        if "Transfer-Encoding" in self.headers or is_endless_put:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif not length.isdecimal():
            self.send_error(HTTPStatus.BAD_REQUEST)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._answer(body)
            else:
                self.close_connection = True

    def _answer(self, request_body: bytes) -> None:
        status = _FAILURE
        headers: list[tuple[str, str]] = []

        def start_response(line: str, fields: list[tuple[str, str]], _exc_info: object = None) -> Any:
            nonlocal status
            status = line
            headers[:] = fields

        environ = self._environ(request_body)
        try:
            body = _joined(self.server.application(environ, start_response))
        except Exception:
            _logger.exception("The application has failed.")
            status, headers, body = _FAILURE, [], b""
        if connection_cut.is_unanswered(environ):
            self.close_connection = True
            return
        self.send_response_only(int(status.partition(" ")[0]))
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        given = {name.lower() for name, _ in headers}
        self.close_connection = self.close_connection or "connection" in given
        if "server" not in given:
            self.send_header("Server", self.version_string())
        if "content-length" not in given:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection and "connection" not in given:
            self.send_header("Connection", "close")
        elif not self.close_connection and self.request_version == "HTTP/1.0":
            self.send_header("Connection", "keep-alive")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: connection_cut.body_limit(environ)])
        if connection_cut.is_cut(environ):
            self.close_connection = True

    def _environ(self, request_body: bytes) -> WSGIEnvironment:
        path, _, query = _ABSOLUTE.sub("", self.path).partition("?")
        host, port = self.client_address[:2]
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": _SLASHES.sub("/", unquote(path or "/", "latin-1")),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(request_body)),
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": host,
            "REMOTE_PORT": str(port),
            "wsgi.version": (1, 0),
            **tls.environ(self.connection),
            "wsgi.input": io.BytesIO(request_body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in {name.upper() for name in self.headers} - {"CONTENT-TYPE", "CONTENT-LENGTH"}:
            environ[f"HTTP_{name.replace('-', '_')}"] = ", ".join(self.headers.get_all(name, []))
        return environ


def _joined(chunks: Iterable[bytes]) -> bytes:
    try:
        return b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


def _end_of_requests(connection: socket.socket) -> None:
    try:
        tls.end_of_input(connection)
    except OSError:
        _logger.debug("The client was faster to close a connection.")
