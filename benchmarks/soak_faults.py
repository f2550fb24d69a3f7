"""A soak through a proxy that fails: what was told, compared with what the cloud holds.

``python -m benchmarks.soak_faults [CREATIONS]`` starts a sandbox, a process between it and the driver, and 12
threads that create and destroy. The process resets, stalls, closes halfway, answers twice, asks twice and
then loses the answers, and gives statuses of its own, before and after the cloud has done what was asked.
"""

from __future__ import annotations

import http.client
import logging
import multiprocessing
import random
import socket
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from stratuslab.client.errors import DuplicateError, StratusLabError, UnsettledError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

THREADS = 12
TIMEOUT = 1.0
FAULT_RATE = 0.15
WAYS = (
    "reset",
    "reset after",
    "stall",
    "stall after",
    "half",
    "half after",
    "status",
    "status after",
    "echo after",
    "twice after",
)
STATUSES = (404, 408, 413, 429, 500, 502, 503, 504)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = ""

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        way = random.choice(WAYS) if random.random() < FAULT_RATE else ""
        answer = None
        if not way or way.endswith("after"):
            answer = self._ask(body)
        kind = way.partition(" ")[0]
        if kind == "twice":
            self._ask(body)
        if kind in ("reset", "twice"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif kind == "stall":
            threading.Event().wait(1.5 * TIMEOUT)
            self.close_connection = True
        elif kind == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<half")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True
        elif kind == "status":
            self._reply(random.choice(STATUSES), "text/html", b"<html>no</html>")
        elif answer is not None:
            self._reply(*answer)
            if kind == "echo":
                self._reply(*answer)

    do_GET = do_POST = do_DELETE = handle_one  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self.target, timeout=30)
        try:
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Accept")}
            connection.request(
                self.command,
                self.path,
                body or None,
                {name: value for name, value in headers.items() if value},
            )
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"] or "", answer.read()
        finally:
            connection.close()

    def _reply(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def proxy(target: str, port_to: Connection) -> None:
    """Serve as the proxy until the process is ended."""
    _Handler.target = target
    ThreadingHTTPServer.handle_error = lambda *_: None  # type: ignore[method-assign]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port_to.send(server.server_port)
    server.serve_forever()


class Tally:
    """What threads were told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.returned: set[str] = set()
        self.tokens: set[str] = set()
        self.named: set[str] = set()
        self.gone: set[str] = set()
        self.refused = self.deletions_unknown = self.wrong = 0


def work(driver: StratusLabNodeDriver, image: Any, size: Any, tally: Tally, number: int) -> None:
    """Create a node, and end every third one."""
    try:
        node = driver.create_node(f"node-{number}", size, image)
    except UnsettledError as error:
        with tally.lock:
            tally.tokens.add(error.token)
        return
    except DuplicateError as error:
        with tally.lock:
            tally.named.update(error.ids)
        return
    except StratusLabError:
        with tally.lock:
            tally.refused += 1
        return
    with tally.lock:
        tally.wrong += node.id in tally.returned
        tally.returned.add(node.id)
    if number % 3 == 0:
        try:
            driver.destroy_node(node)
        except StratusLabError:
            with tally.lock:
                tally.deletions_unknown += 1
        else:
            with tally.lock:
                tally.gone.add(node.id)


def main(creations: int) -> int:
    """Run, print what was found, and return how much of it was wrong."""
    logging.disable()
    context = multiprocessing.get_context("spawn")
    with Sandbox(locations=["here"]) as sandbox:
        here, there = context.Pipe()
        process = context.Process(target=proxy, args=(urlsplit(sandbox.url).netloc, there), daemon=True)
        process.start()
        url = f"http://127.0.0.1:{here.recv()}/here"
        plain = StratusLabNodeDriver("demo", "demo-pass", host=f"{sandbox.url}/here")
        image, size = plain.list_images()[0], plain.list_sizes()[0]
        driver = StratusLabNodeDriver("demo", "demo-pass", host=url, timeout=TIMEOUT)
        tally = Tally()
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda number: work(driver, image, size, tally, number), range(creations)))
        process.terminate()
        process.join()
        threading.Event().wait(2 * TIMEOUT)
        oned = sandbox.location("here").oned
        _, pool, _ = oned.call("one.vmpool.info", [-3, 0, 10**8, -2], "demo")
        vms = {vm.findtext("ID", ""): vm for vm in ElementTree.fromstring(str(pool))}
        token_of = {vm_id: vm.findtext("TEMPLATE/LIBCLOUD_TOKEN", "") for vm_id, vm in vms.items()}
        told = tally.returned | tally.named
        told |= {vm_id for vm_id, token in token_of.items() if token in tally.tokens}
        alive = {
            vm_id
            for vm_id, vm in vms.items()
            if (vm.findtext("STATE"), vm.findtext("LCM_STATE")) not in (("6", "0"), ("3", "15"), ("3", "12"))
        }
        lost, invented = set(vms) - told, told - set(vms)
        false = tally.gone & alive
    print(f"{creations} creations by {THREADS} threads: {len(tally.returned)} nodes returned, ", end="")
    print(
        f"{len(tally.tokens)} UnsettledErrors ({len(tally.tokens & set(token_of.values()))} of them exist), ",
        end="",
    )
    print(f"{len(tally.named)} named twice, {tally.refused} refused")
    print(
        f"{len(vms)} VMs in the cloud: {len(lost)} lost, {len(invented)} invented, {tally.wrong} given twice"
    )
    print(f"{len(tally.gone)} deletions told as done, {len(false)} of them false; ", end="")
    print(f"{tally.deletions_unknown} told as not known")
    return len(lost) + len(invented) + len(false) + tally.wrong


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000) else 0)
