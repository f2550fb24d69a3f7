"""What becomes of a creation whose answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import AnswerLostError, ServiceError, UnsettledError
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.transport import settlement
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


@pytest.fixture
def hasty(sandbox: Sandbox) -> StratusLabNodeDriver:
    """A driver that looks for half a second for what a lost answer may have made."""
    return StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=0.5)


def start(driver: StratusLabNodeDriver) -> StratusLabNode:
    return driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])


@pytest.mark.parametrize(
    "lost",
    [
        "cut-after",
        "cut-at=10",
        "status=502:carried-out",
        "status=504:carried-out",
        "garbage",
        *(f"status={status}:carried-out" for status in (302, 400, 401, 403, 404, 408, 409, 429)),
    ],
)
def test_a_node_whose_answer_was_lost_is_found_and_returned(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, lost: str
) -> None:
    sandbox.faults.add(f"one.vm.allocate:{lost}")

    node = start(hasty)

    assert [found.id for found in hasty.list_nodes()] == [node.id]
    assert sandbox.request_log.operations().count("one.vm.allocate") == 1


def test_a_node_that_is_not_found_is_an_error_with_a_token(
    sandbox: Sandbox, hasty: StratusLabNodeDriver
) -> None:
    sandbox.faults.add("one.vm.allocate:cut-before")

    with pytest.raises(UnsettledError, match=r"no VM with the token .* has appeared, but it may") as error:
        start(hasty)
    assert isinstance(error.value.__cause__, AnswerLostError)
    assert hasty.ex_find_node(error.value.token) is None
    assert hasty.list_nodes() == []


def test_a_refusal_is_told_at_once_after_one_look(sandbox: Sandbox, hasty: StratusLabNodeDriver) -> None:
    sandbox.faults.add("one.vm.allocate:status=429")

    with pytest.raises(ServiceError, match="429") as error:
        start(hasty)
    assert not isinstance(error.value, UnsettledError)
    assert sandbox.request_log.operations()[-2:] == ["one.vm.allocate", "one.vmpool.info"]


def test_a_refusal_of_opennebula_itself_is_believed(sandbox: Sandbox, hasty: StratusLabNodeDriver) -> None:
    sandbox.faults.add("one.vm.allocate:error=8192")

    with pytest.raises(ServiceError):
        start(hasty)
    assert sandbox.request_log.operations()[-1] == "one.vm.allocate"


def test_an_interruption_is_told_with_the_token(
    sandbox: Sandbox,
    hasty: StratusLabNodeDriver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = Rpc.call

    def interrupted(*arguments: Any, **settings: Any) -> None:
        call(*arguments, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(Rpc, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(hasty)

    [node] = hasty.list_nodes()
    assert f"there may be a VM with the token {node.extra['token']}" in caplog.text


def test_an_interruption_once_the_vm_is_known_is_told_with_its_id(
    hasty: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupted(_: Monitor, vm_id: int) -> None:
        raise KeyboardInterrupt(vm_id)

    monkeypatch.setattr(Monitor, "describe_vm", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        start(hasty)

    assert f"location 'here': VM {caught.value.args[0]} was started" in caplog.text


def test_a_node_that_appears_later_is_found_by_the_token(
    sandbox: Sandbox, hasty: StratusLabNodeDriver
) -> None:
    rules = [sandbox.faults.add(rule) for rule in ("one.vm.allocate:cut-after", "one.vmpool.info:status=503")]

    with pytest.raises(UnsettledError) as error:
        start(hasty)
    for rule in rules:
        sandbox.faults.remove(rule.id)

    node = hasty.ex_find_node(error.value.token)
    assert node is not None
    assert node.extra["token"] == error.value.token
    assert node.destroy()


def test_a_request_that_is_still_under_way_is_waited_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=0.5)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(settlement, "_LONGEST_PAUSE", 0.05)
    sandbox.faults.add("one.vm.allocate:delay=0.65")

    assert [start(driver).id] == [node.id for node in driver.list_nodes()]


@pytest.mark.parametrize(
    "lost", ["cut-after", "cut-at=3", "status=504:carried-out", "status=409:carried-out", "garbage"]
)
def test_a_volume_whose_answer_was_lost_is_found_and_returned(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, lost: str
) -> None:
    sandbox.faults.add(f"POST /disks/:{lost}")

    volume = hasty.create_volume(1, "data")

    assert [found.id for found in hasty.list_volumes()] == [volume.id]
    assert sandbox.request_log.operations().count("POST /disks/") == 1


def test_a_volume_that_is_not_found_is_an_error_that_names_what_to_look_for(
    sandbox: Sandbox, hasty: StratusLabNodeDriver
) -> None:
    sandbox.faults.add("POST /disks/:cut-before")

    with pytest.raises(UnsettledError, match="look for it, and for the name 'data'") as error:
        hasty.create_volume(1, "data")
    assert error.value.token in str(error.value)
    assert hasty.list_volumes() == []


def test_an_attachment_whose_answer_was_lost_is_found(sandbox: Sandbox, hasty: StratusLabNodeDriver) -> None:
    node, volume = start(hasty), hasty.create_volume(1, "data")
    sandbox.clock.step(60)
    sandbox.faults.add("POST /disks/UUID/mounts/:cut-after")

    assert hasty.attach_volume(node, volume)
    assert volume.extra["device"] == "vdz"


def test_a_deletion_whose_answer_was_lost_is_repeated(sandbox: Sandbox, hasty: StratusLabNodeDriver) -> None:
    volume = hasty.create_volume(1, "data")
    sandbox.faults.add("DELETE /disks/UUID:nth=1:cut-after")

    assert hasty.destroy_volume(volume)
    assert hasty.list_volumes() == []


@pytest.mark.parametrize("operation", ["one.vmpool.info", "GET /disks/", "GET /metadata"])
def test_a_reading_is_repeated_as_soon_as_the_service_asks(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, operation: str
) -> None:
    sandbox.faults.add(f"{operation}:sequence=fail,fail,ok:status=503:retry-after=0")
    readings: dict[str, Callable[[], object]] = {
        "one.vmpool.info": hasty.list_nodes,
        "GET /disks/": hasty.list_volumes,
        "GET /metadata": hasty.list_images,
    }

    assert isinstance(readings[operation](), list)
    assert sandbox.request_log.operations() == [operation] * 3


@pytest.mark.parametrize(
    "meanwhile",
    [
        "cut-before",
        "xmlrpc-fault=0",
        "garbage",
        "status=404",
        "status=500",
        "status=503:retry-after=0",
    ],
)
def test_waiting_survives_a_restart_of_the_service(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, meanwhile: str
) -> None:
    node = start(hasty)
    sandbox.clock.step(60)
    rule = sandbox.faults.add(f"one.vmpool.info:sequence=fail,fail,fail,fail,fail,fail:{meanwhile}")

    [(found, addresses)] = hasty.wait_until_running([node], wait_period=0, timeout=60)

    assert (found.id, addresses) == (node.id, node.public_ips)
    assert rule.fired == 6
