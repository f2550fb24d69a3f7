"""A server of prepared answers, in a process of its own, which does next to nothing for a request."""

from __future__ import annotations

import multiprocessing
import socketserver
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Answers = dict[str, tuple[str, bytes]]
"""What to send, by a text that the path or the body of a request holds: media type and body."""


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
        while request := self._request():
            with self.server.lock:
                self.server.requests += 1
            time.sleep(self.server.delay)
            self.connection.sendall(self.server.answer_to(request))

    def _request(self) -> bytes:
        """Return the first line and the body of the next request, nothing at the end of the connection."""
        first = self.rfile.readline()
        length = 0
        while (line := self.rfile.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return first + self.rfile.read(length)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers: Answers, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay = delay
        self.requests = 0
        self.connections = 0
        self.lock = threading.Lock()
        self._answers = [(mark.encode(), _rendered(*answer)) for mark, answer in answers.items()]

    def answer_to(self, request: bytes) -> bytes:
        if request.startswith(b"GET /counts "):
            return _rendered("text/plain", f"{self.requests} {self.connections}".encode())
        return next(answer for mark, answer in self._answers if mark in request)


def _rendered(media_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _serve(answers: Answers, delay: float, ready: Any) -> None:
    server = _Server(answers, delay)
    ready.put(server.server_address[1])
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
