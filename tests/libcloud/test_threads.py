"""Threads that share a driver."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.sandbox import Sandbox

THREADS = 8
CALLS = 10_000


@pytest.fixture
def _eager_switching() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Question(NamedTuple):
    """A call of one request, and the answer that no other call gets."""

    ask: Callable[[StratusLabNodeDriver], Any]
    answer: Any


def about_node(node: Any) -> Question:
    return Question(lambda driver: driver.ex_get_node_details(node.id, node.location).name, node.name)


def about_volume(volume: Any, location: Any) -> Question:
    return Question(lambda driver: driver.ex_get_volume(volume.id, location).name, volume.name)


def about_image(image: Any) -> Question:
    return Question(lambda driver: driver.get_image(image.id).id, image.id)


def about_location(location: Any, nodes: list[Any]) -> Question:
    def names(driver: StratusLabNodeDriver) -> list[str]:
        return [node.name for node in driver.list_nodes(ex_location=location)]

    return Question(names, [node.name for node in nodes])


def questions(driver: StratusLabNodeDriver) -> list[Question]:
    """Fill the clouds with nodes and volumes, and return what can be asked of them."""
    size, images = driver.list_sizes()[0], driver.list_images()
    found = [about_image(image) for image in images]
    for location in driver.list_locations():
        names = [f"{location.id}-{number}" for number in range(THREADS)]
        nodes = [driver.create_node(name, size, images[0], location) for name in names]
        found += [about_node(node) for node in nodes]
        volumes = [driver.create_volume(1, f"data-{name}", location) for name in names]
        found += [about_volume(volume, location) for volume in volumes]
        found.append(about_location(location, nodes))
    return found


@pytest.mark.slow(seconds=25)
@pytest.mark.usefixtures("_eager_switching")
def test_no_answer_reaches_the_wrong_caller(two_clouds: Sandbox) -> None:
    asked = questions(StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file))
    two_clouds.request_log.clear()
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    together = threading.Barrier(THREADS)

    def wrong_answers(first: int) -> list[tuple[Any, Any]]:
        together.wait(30)
        turns = (asked[(first + turn) % len(asked)] for turn in range(CALLS // THREADS))
        answers = ((question.answer, question.ask(driver)) for question in turns)
        return [(expected, found) for expected, found in answers if found != expected]

    with ThreadPoolExecutor(THREADS) as threads:
        wrong = list(threads.map(wrong_answers, range(0, 5 * THREADS, 5)))

    assert wrong == [[]] * THREADS
    log = two_clouds.request_log
    assert len(log) == CALLS
    assert {request.status for request in log} == {200}
    services = {(request.location, request.service) for request in log}
    assert len(services) == 5
    assert len({(request.location, request.service, request.connection) for request in log}) < CALLS / 10
