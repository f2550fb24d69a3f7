"""A server of prepared answers, in a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Answers = dict[str, tuple[str, bytes]]
"""What to send, by a text that the path or the body of a request holds: media type and body."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def _answer(self) -> None:
        request = self.path.encode() + self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self.server.lock:
            self.server.requests += 1
        time.sleep(self.server.delay)
        if self.path == "/counts":
            found = ("text/plain", f"{self.server.requests} {self.server.connections}".encode())
        else:
            found = next(answer for mark, answer in self.server.answers if mark in request)
        self.send_response(200)
        self.send_header("Content-Type", found[0])
        self.send_header("Content-Length", str(len(found[1])))
        self.end_headers()
        self.wfile.write(found[1])

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815  http.server's names

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: Answers, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [(mark.encode(), answer) for mark, answer in answers.items()]
        self.delay = delay
        self.requests = 0
        self.connections = 0
        self.lock = threading.Lock()


def _serve(answers: Answers, delay: float, ready: Any) -> None:
    server = _Server(answers, delay)
    ready.put(server.server_port)
    server.serve_forever()


@contextmanager
def serving(answers: Answers, *, delay: float = 0.0) -> Iterator[str]:
    """Serve answers, each after ``delay`` seconds, and give the URL of the server."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_serve, args=(answers, delay, ready), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ready.get(timeout=60)}"
    finally:
        process.terminate()
        process.join()
