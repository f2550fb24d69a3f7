"""A driver that was used once, then processes forked from it: each gets its own answers."""

from __future__ import annotations

import multiprocessing
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
WORKERS = 4


@pytest.fixture(params=[False, True], ids=["http", "https"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(locations=["here"], tls=request.param) as sandbox:
        yield sandbox


def create(driver: StratusLabNodeDriver, image: Any, name: str) -> tuple[str, str]:
    """Start a node, and return its id and the name of the node of that id."""
    node = driver.create_node(name, driver.list_sizes()[0], image)
    found = driver.ex_get_node_details(node.id)
    assert found is not None
    return node.id, found.name


def in_children(driver: StratusLabNodeDriver, image: Any, names: list[str]) -> list[tuple[str, Any]]:
    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()
    together = context.Barrier(len(names) + 1)

    def work(name: str) -> None:
        together.wait(30)
        try:
            answers.put((name, create(driver, image, name)))
        except BaseException as error:
            answers.put((name, repr(error)))
            raise

    workers = [context.Process(target=work, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    together.wait(30)
    found = [("parent", create(driver, image, "parent"))]
    found += [answers.get() for _ in names]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    return found


def check(found: list[tuple[str, Any]]) -> None:
    assert [name for name, answer in found if answer[1:] != (name,)] == [], found
    assert len({answer[0] for _, answer in found}) == len(found)


@pytest.mark.parametrize("turn", range(2))
def test_every_worker_gets_its_own_node(cloud: Sandbox, turn: int) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=cloud.config_file, timeout=30)
    image = driver.list_images()[0]
    driver.list_nodes()
    for _ in range(3):
        check(in_children(driver, image, [f"worker-{number}" for number in range(WORKERS)]))
    assert len(driver.list_nodes()) == 3 * (WORKERS + 1)


def test_a_fork_while_another_thread_waits_for_an_answer(cloud: Sandbox) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=cloud.config_file, timeout=30)
    image = driver.list_images()[0]
    # All places of the pool are taken in the parent, and none in the child.
    fault = cloud.faults.add("one.vmpool.info:delay=0.5")
    threads = [threading.Thread(target=driver.list_nodes) for _ in range(5)]
    for thread in threads:
        thread.start()
    while fault.matched < 4:
        threading.Event().wait(0.01)
    cloud.faults.remove(fault.id)
    check(in_children(driver, image, ["worker"]))
    for thread in threads:
        thread.join(30)


def test_the_parent_goes_on_over_its_own_connection(cloud: Sandbox) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=cloud.config_file, timeout=30)
    driver.list_nodes()

    pid = os.fork()
    if not pid:
        driver.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    driver.list_nodes()

    assert len({request.connection for request in cloud.request_log}) == 1
