"""Many clients at once against a sandbox in a process of its own, all on two cores: is it right, and flat?

Every client has a user and a connection of its own. Again and again it starts a VM, makes a volume, looks at
both and removes them, as fast as it is answered, and checks every answer. Needs Linux.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import xmlrpc.client
from base64 import b64encode
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CORES = 2
PASSWORD = "load"
MEASURED_AT = (0.1, 0.25, 0.5, 1.0)
TEMPLATE = """\
NAME = "load"
CPU = 1
MEMORY = 512
DISK = [ SOURCE = "{image}", TARGET = "hda" ]
NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]
"""


class Client:
    """A user of the cloud, how long the answers took in seconds, and what went wrong."""

    def __init__(self, user: str, endpoints: Mapping[str, str], image: str) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self._template = TEMPLATE.format(image=image)
        self._compute = urlsplit(endpoints["endpoint"]).path.replace("/xmlrpc", "/pswd/xmlrpc")
        self._disks = urlsplit(endpoints["pdisk_endpoint"]).path + "/pswd/disks/"
        self._connection = http.client.HTTPConnection(urlsplit(endpoints["endpoint"]).netloc, timeout=60)
        self._headers = {
            "Accept": "application/json",
            "Authorization": "Basic " + b64encode(f"{user}:{PASSWORD}".encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def work(self, end: float) -> None:
        """Do the same again and again until that time of the monotonic clock."""
        with closing(self._connection):
            while time.monotonic() < end:
                try:
                    self._live()
                except Exception as error:  # noqa: BLE001 - whatever it is, it counts
                    self.errors.append(f"{type(error).__name__}: {error}")
                    self._connection.close()

    def _live(self) -> None:
        vm_id = self._call("one.vm.allocate", self._template)
        uuid = json.loads(self._ask("POST", self._disks, "size=1&tag=load"))["uuid"]
        for document in (
            self._call("one.vm.info", vm_id),
            self._call("one.vmpool.info", -3, -1, -1, -1),
        ):
            expect(f"<ID>{vm_id}</ID>" in document, document)
        disks = json.loads(self._ask("GET", self._disks))
        expect(uuid in [disk["uuid"] for disk in disks], disks)
        self._ask("DELETE", self._disks + uuid)
        expect(self._call("one.vm.action", "finalize", vm_id) == vm_id, "another VM")

    def _call(self, method: str, *arguments: str | int) -> Any:
        body = xmlrpc.client.dumps(("session", *arguments), method)
        answers: Any = xmlrpc.client.loads(self._ask("POST", self._compute, body))[0]
        [answer] = answers
        expect(answer[0], answer)
        return answer[1]

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        begin = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        self.seconds.append(time.perf_counter() - begin)
        expect(response.status in (200, 201), f"{response.status} {answer!r}")
        return answer


def expect(right: object, found: object) -> None:
    if not right:
        raise ValueError(f"not expected: {found}")


@contextmanager
def served(users: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Serve a cloud; give the id of the process and the endpoints."""
    options = [option for user in users for option in ("--user", f"{user}:{PASSWORD}")]
    command = [sys.executable, "-m", "stratuslab.sandbox", "serve", "--boot-seconds", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            [endpoints] = json.loads(server.stdout.readline())["locations"].values()
            yield server.pid, endpoints
        finally:
            server.terminate()


def an_image(endpoints: Mapping[str, str]) -> str:
    connection = http.client.HTTPConnection(urlsplit(endpoints["endpoint"]).netloc, timeout=60)
    with closing(connection):
        connection.request("GET", urlsplit(endpoints["marketplace_endpoint"]).path + "/metadata")
        identifier = re.search(rb"<dcterms:identifier>([^<]+)<", connection.getresponse().read())
    assert identifier is not None
    return f"{endpoints['marketplace_endpoint']}/metadata/{identifier[1].decode()}"


def resident_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_load", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, metavar="N", help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="default: %(default)s")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    users = [f"user{number}" for number in range(options.clients)]
    with served(users) as (pid, endpoints):
        image = an_image(endpoints)
        clients = [Client(user, endpoints, image) for user in users]
        begin = time.monotonic()
        threads = [threading.Thread(target=client.work, args=[begin + options.seconds]) for client in clients]
        for thread in threads:
            thread.start()
        resident = {}
        for share in MEASURED_AT:
            time.sleep(max(0, begin + share * options.seconds - time.monotonic()))
            resident[share] = resident_mib(pid)
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - begin
    report(clients, elapsed, resident)
    return int(any(client.errors for client in clients))


def report(clients: list[Client], elapsed: float, resident: Mapping[float, int]) -> None:
    seconds = [taken for client in clients for taken in client.seconds]
    errors = [error for client in clients for error in client.errors]
    half, late = statistics.quantiles(seconds, n=100)[49::49]
    print(f"{len(clients)} clients for {elapsed:.0f} s on {CORES} cores")
    print(f"requests:  {len(seconds)}, {len(seconds) / elapsed:.0f} in a second")
    print(f"answered:  half of them within {half * 1000:.0f} ms, 99 % within {late * 1000:.0f} ms")
    print(f"errors:    {len(errors)}")
    for error in sorted(set(errors))[:5]:
        print(f"           {error[:200]}")
    for share, mebibytes in resident.items():
        print(f"memory:    {mebibytes} MiB after {share * elapsed:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
