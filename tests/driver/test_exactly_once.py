"""What becomes of a creation whose answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client import settlement
from stratuslab.client.errors import AnswerLostError, UnsettledError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from stratuslab.sandbox import Sandbox


@pytest.fixture
def hasty(sandbox: Sandbox) -> StratusLabNodeDriver:
    """A driver that looks for half a second for what a lost answer may have made."""
    return StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=0.5)


def start(driver: StratusLabNodeDriver):
    return driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])


@pytest.mark.parametrize(
    "lost", ["cut-after", "cut-at=10", "status=502:carried-out", "status=504:carried-out", "garbage"]
)
def test_a_node_whose_answer_was_lost_is_found_and_returned(sandbox, hasty, lost: str) -> None:
    sandbox.faults.add(f"one.vm.allocate:{lost}")

    node = start(hasty)

    assert [found.id for found in hasty.list_nodes()] == [node.id]
    assert sandbox.request_log.operations().count("one.vm.allocate") == 1


def test_a_node_that_is_not_found_is_an_error_with_a_token(sandbox, hasty) -> None:
    sandbox.faults.add("one.vm.allocate:cut-before")

    with pytest.raises(UnsettledError, match=r"no VM with the token .* has appeared, but it may") as error:
        start(hasty)
    assert isinstance(error.value.__cause__, AnswerLostError)
    assert hasty.ex_find_node(error.value.token) is None
    assert hasty.list_nodes() == []


def test_a_node_that_appears_later_is_found_by_the_token(sandbox, hasty) -> None:
    rules = [sandbox.faults.add(rule) for rule in ("one.vm.allocate:cut-after", "one.vmpool.info:status=503")]

    with pytest.raises(UnsettledError) as error:
        start(hasty)
    for rule in rules:
        sandbox.faults.remove(rule.id)

    node = hasty.ex_find_node(error.value.token)
    assert node is not None
    assert node.extra["token"] == error.value.token
    assert node.destroy()


def test_a_request_that_is_still_under_way_is_waited_for(sandbox, monkeypatch) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=1)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(settlement, "_LONGEST_PAUSE", 0.05)
    sandbox.faults.add("one.vm.allocate:delay=1.3")

    assert [start(driver).id] == [node.id for node in driver.list_nodes()]


@pytest.mark.parametrize("lost", ["cut-after", "cut-at=3", "status=504:carried-out", "garbage"])
def test_a_volume_whose_answer_was_lost_is_found_and_returned(sandbox, hasty, lost: str) -> None:
    sandbox.faults.add(f"POST /disks/:{lost}")

    volume = hasty.create_volume(1, "data")

    assert [found.id for found in hasty.list_volumes()] == [volume.id]
    assert sandbox.request_log.operations().count("POST /disks/") == 1


def test_a_volume_that_is_not_found_is_an_error_that_names_what_to_look_for(sandbox, hasty) -> None:
    sandbox.faults.add("POST /disks/:cut-before")

    with pytest.raises(UnsettledError, match="look for it, and for the name 'data'") as error:
        hasty.create_volume(1, "data")
    assert error.value.token in str(error.value)
    assert hasty.list_volumes() == []


def test_an_attachment_whose_answer_was_lost_is_found(sandbox, hasty) -> None:
    node, volume = start(hasty), hasty.create_volume(1, "data")
    sandbox.clock.step(60)
    sandbox.faults.add("POST /disks/UUID/mounts/:cut-after")

    assert hasty.attach_volume(node, volume)
    assert volume.extra["device"] == "vdz"


def test_a_deletion_whose_answer_was_lost_is_repeated(sandbox, hasty) -> None:
    volume = hasty.create_volume(1, "data")
    sandbox.faults.add("DELETE /disks/UUID:nth=1:cut-after")

    assert hasty.destroy_volume(volume)
    assert hasty.list_volumes() == []


@pytest.mark.parametrize("operation", ["one.vmpool.info", "GET /disks/", "GET /metadata"])
def test_a_reading_is_repeated_as_soon_as_the_service_asks(sandbox, hasty, operation: str) -> None:
    sandbox.faults.add(f"{operation}:sequence=fail,fail,ok:status=503:retry-after=0")
    reading = {
        "one.vmpool.info": hasty.list_nodes,
        "GET /disks/": hasty.list_volumes,
        "GET /metadata": hasty.list_images,
    }[operation]

    assert isinstance(reading(), list)
    assert sandbox.request_log.operations() == [operation] * 3


def test_waiting_survives_a_restart_of_the_service(sandbox, hasty) -> None:
    node = start(hasty)
    sandbox.clock.step(60)
    rule = sandbox.faults.add("one.vmpool.info:sequence=fail,fail,fail,fail,fail,fail:cut-before")

    [(found, addresses)] = hasty.wait_until_running([node], wait_period=0, timeout=60)

    assert (found.id, addresses) == (node.id, node.public_ips)
    assert rule.fired == 6
