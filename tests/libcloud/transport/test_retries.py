"""Libcloud's own switch for retries: it repeats what may be repeated, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from libcloud.utils import retry

from stratuslab.client.errors import AnswerLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.transport.conftest import Gate, Seen


READS = {
    "one.vmpool.info": lambda driver: driver.list_nodes(),
    "one.vm.info": lambda driver: driver.ex_get_node_details("0"),
    "disks": lambda driver: driver.list_volumes(),
    "metadata": lambda driver: driver.list_images(),
}


class Pauses:
    """Takes the place of ``time`` in Libcloud's retries."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Switch Libcloud's retries on, with pauses that are noted and not made."""
    pauses = Pauses()
    monkeypatch.setattr(retry, "time", pauses)
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1")
    return pauses


@pytest.fixture
def cloud(gate: Callable[..., Gate], sandbox: Sandbox) -> Gate:
    return gate(sandbox.url)


def cut(cloud: Gate, needle: str, times: int) -> list[Seen]:
    """Let the first requests in which there is a text lose their answers; return those requests."""
    lost: list[Seen] = []

    def is_lost(seen: Seen) -> bool:
        if len(lost) < times and needle in f"{seen.method} {seen.target} {seen.body.decode()}":
            lost.append(seen)
            return True
        return False

    cloud.cut = is_lost
    return lost


@pytest.mark.parametrize(("needle", "read"), READS.items())
def test_a_read_is_repeated_with_growing_pauses(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], pauses: Pauses, needle: str, read: Any
) -> None:
    lost = cut(cloud, needle, times=5)
    read(driver_at(cloud.url, {"retry_delay": "0.5", "backoff": 2}))

    assert (len(lost), len(cloud.seen)) == (5, 6)
    assert pauses.taken == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(("needle", "read"), READS.items())
def test_without_the_switch_libcloud_repeats_nothing(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    pauses: Pauses,
    monkeypatch: pytest.MonkeyPatch,
    needle: str,
    read: Any,
) -> None:
    monkeypatch.delenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS")
    cut(cloud, needle, times=1)
    read(driver_at(cloud.url, {"retry_delay": 0.5, "backoff": 2}))

    assert pauses.taken == []


def test_a_node_is_never_asked_for_twice(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], pauses: Pauses
) -> None:
    driver = driver_at(cloud.url)
    size, image = driver.list_sizes()[0], driver.list_images()[0]
    lost = cut(cloud, "one.vm.allocate", times=9)
    node = driver.create_node("web", size, image)

    assert len(lost) == 1
    assert [listed.id for listed in driver.list_nodes()] == [node.id]
    assert pauses.taken == []


def test_a_volume_is_never_asked_for_twice(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], pauses: Pauses
) -> None:
    driver = driver_at(cloud.url)
    lost = cut(cloud, "POST /here/pdisk/pswd/disks/", times=9)
    volume = driver.create_volume(1, "data")

    assert len(lost) == 1
    assert [listed.id for listed in driver.list_volumes()] == [volume.id]
    assert pauses.taken == []


def test_a_volume_is_never_plugged_in_twice(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], pauses: Pauses
) -> None:
    driver = driver_at(cloud.url)
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    volume = driver.create_volume(1, "data")
    lost = cut(cloud, "/mounts/ node=", times=9)
    driver.attach_volume(node, volume)

    assert len(lost) == 1
    assert volume.extra["device"]
    assert driver.ex_get_volume(volume.id).extra["count"] == 1
    assert pauses.taken == []


@pytest.mark.parametrize("action", ["reboot_node", "stop_node", "ex_suspend_node", "ex_shutdown_node"])
def test_a_change_of_a_node_is_never_sent_twice(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], pauses: Pauses, action: str
) -> None:
    driver = driver_at(cloud.url)
    node = driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
    assert node.host
    lost = cut(cloud, "one.vm.action", times=9)

    with pytest.raises(AnswerLostError, match="broke before the whole answer had come"):
        getattr(driver, action)(node)
    assert len(lost) == 1
    assert pauses.taken == []
