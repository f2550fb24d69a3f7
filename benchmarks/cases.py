"""What is measured: each case against its floor or its like, in the same run."""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from benchmarks import documents
from benchmarks.measuring import Result, against, interleaved, sent
from benchmarks.opennebula import opennebula_lists, opennebula_pair
from benchmarks.service import serving
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_SHORT = 5
"""How many times more rounds a case of some milliseconds takes, which swings more."""


def all_cases(rounds: int) -> Iterator[Result]:
    yield from list_nodes(rounds)
    yield from locations(rounds)
    yield from list_images(rounds)
    yield from list_volumes(rounds)
    yield from create_and_destroy()
    yield from import_time(rounds)
    yield from growth(rounds)
    yield from opennebula_lists(rounds)
    yield from opennebula_pair()


def list_nodes(rounds: int, count: int = 5000) -> Iterator[Result]:
    document = documents.vm_pool(count)
    with serving({"vmpool": ("text/xml", documents.xmlrpc_document(document))}) as url:
        driver = _driver(url)

        def floor() -> int:
            body = sent(driver._at(None).rpc.connection, "POST", "", b"one.vmpool.info")
            envelope = ElementTree.fromstring(body)
            text = envelope.findall("params/param/value/array/data/value")[1].text or ""
            return len(ElementTree.fromstring(text))

        def ours() -> int:
            return len(driver.list_nodes())

        name = f"list_nodes, {count:,} VMs ({len(document) / 1e6:.0f} MB)"
        yield against(name, "time / floor", 1.5, rounds, ours, floor, count)
        peak = _peak(ours)
        yield Result(name, "peak memory / document", peak / len(document), 4, {"peak_bytes": peak})


def locations(rounds: int, count: int = 16) -> Iterator[Result]:
    nodes = 3
    body = documents.xmlrpc_document(documents.vm_pool(nodes))
    with serving({"vmpool": ("text/xml", body)}, delay=0.1) as url:
        one, many = _driver_of(url, 1), _driver_of(url, count)
        name = f"list_nodes, {count} locations that answer after 100 ms"
        yield against(
            name,
            "time / one location",
            1.25,
            rounds * _SHORT,
            lambda: len(many.list_nodes()) // count,
            lambda: len(one.list_nodes()),
            nodes,
        )


def list_images(rounds: int, count: int = 5000) -> Iterator[Result]:
    body = documents.metadata(count)
    with serving({"/metadata": ("application/xml", body)}) as url:
        driver = _driver(url)
        connection = driver._at(None).marketplace._connection

        def floor() -> int:
            return len(ElementTree.fromstring(sent(connection, "GET", "/metadata")))

        name = f"list_images, {count:,} entries ({len(body) / 1e6:.0f} MB)"
        yield against(name, "time / floor", 1.5, rounds, lambda: len(driver.list_images()), floor, count)


def list_volumes(rounds: int, count: int = 10_000) -> Iterator[Result]:
    with serving({"/disks/": ("application/json", documents.disks(count))}) as url:
        driver = _driver(url)
        connection = driver._at(None).disks._connection

        def floor() -> int:
            return len(json.loads(sent(connection, "GET", "/disks/")))

        name = f"list_volumes, {count:,} disks"
        yield against(
            name, "time / floor", 3.5, rounds * _SHORT, lambda: len(driver.list_volumes()), floor, count
        )


def create_and_destroy(pairs: int = 200) -> Iterator[Result]:
    """Count on the sandbox: a prepared answer cannot bear the token that the driver looks for."""
    with Sandbox(boot_seconds=0) as sandbox:
        driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file)
        image, size = driver.list_images()[0], driver.list_sizes()[0]
        sandbox.request_log.clear()
        start = time.perf_counter()
        for _ in range(pairs):
            driver.create_node("node", size, image).destroy()
        seconds = (time.perf_counter() - start) / pairs
        requests = list(sandbox.request_log)
    name = f"{pairs} x (create_node, destroy_node)"
    yield Result(name, "requests a pair", len(requests) / pairs, 3, {"seconds_a_pair": seconds})
    connections = len({request.connection for request in requests})
    yield Result(name, "TCP connections a pair", connections / pairs, 1.05, {})


def import_time(rounds: int) -> Iterator[Result]:
    code = (
        "import time, libcloud.compute.base; start = time.perf_counter(); "
        "import stratuslab.libcloud.stratuslab_driver; print(time.perf_counter() - start)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(rounds)
    ]
    median = statistics.median(seconds)
    yield Result(
        "import of the driver after libcloud's", "milliseconds", median * 1000, 60, {"seconds": median}
    )


def growth(rounds: int, few: int = 100, many: int = 10_000) -> Iterator[Result]:
    pools = {f"/{count}/": documents.xmlrpc_document(documents.vm_pool(count)) for count in (few, many)}
    with serving({mark: ("text/xml", body) for mark, body in pools.items()}) as url:
        small, large = _driver(f"{url}/{few}"), _driver(f"{url}/{many}")
        times = interleaved(
            rounds, lambda: [small.list_nodes() for _ in range(10)], lambda: large.list_nodes()
        )
    per_node = (times[0] / (10 * few), times[1] / many)
    measured = {"seconds_a_node_few": per_node[0], "seconds_a_node_many": per_node[1]}
    name = f"list_nodes, {few} to {many:,} VMs"
    yield Result(name, "growth of the time a node", per_node[1] / per_node[0], 1.1, measured)


def _peak(call: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _driver(url: str) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("alice", "secret", host=url)


def _driver_of(url: str, count: int) -> StratusLabNodeDriver:
    sections = "".join(f"[place{number}]\nendpoint = {url}/one-proxy/xmlrpc\n" for number in range(count))
    text = f"[default]\nselected_section = place0\nusername = alice\npassword = secret\n{sections}"
    return StratusLabNodeDriver(stratuslab_user_config=io.StringIO(text))
