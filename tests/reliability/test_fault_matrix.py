"""Every operation on a StratusLab cloud under every fault: what the caller is told is so in the cloud."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import mock  # noqa: UP026  the package that all tests use for doubles
import pytest
from libcloud.common.types import LibcloudError
from libcloud.compute.base import NodeImage

from stratuslab.client.errors import StratusLabError, UnsettledError, outcome_unknown
from stratuslab.client.transport import retry, settlement
from stratuslab.libcloud.stratuslab_driver import ImageDescription, StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stratuslab.sandbox.faults.active_faults import ActiveFault

TIMEOUT = 0.3
CLOUDS = 4
OFFSETS = (0, 1, 2, 5, 10, 20, 40, 80, 120, 160, 200, 250, 300, 400, 500, 600, 800, 1000, 1500, 3000)
FAULTS = {
    "connection cut before": ["cut-before"],
    "connection cut after the effect": ["cut-after"],
    "answer cut, at 20 offsets": [f"cut-at={offset}" for offset in OFFSETS],
    "delay beyond the time-out": [f"delay={2 * TIMEOUT}", f"delay={2 * TIMEOUT}:carried-out"],
    "status 4xx, redirect": [
        *(f"status={status}" for status in (400, 401, 403, 404, 405, 409, 429)),
        "redirect=http://127.0.0.1:9/",
    ],
    "status 5xx, before and after the effect": [
        f"status={status}{effect}" for status in (500, 502, 503, 504) for effect in ("", ":carried-out")
    ],
    "garbage, wrong type": ["garbage", "content-type=text/html"],
    "error of OpenNebula": [f"error={code}" for code in (256, 512, 2048, 4096, 8192)],
    "fault of XML-RPC": [f"xmlrpc-fault={code}" for code in (0, -501, -506)],
}
WHEN = ("nth=1:", "")
FIRST = (
    "cut-before",
    "cut-after",
    "cut-at=20",
    "status=404",
    "status=408:carried-out",
    "status=413:carried-out",
    "status=429",
    "status=503",
    "status=503:carried-out",
    "redirect=http://127.0.0.1:9/",
    "garbage",
)
"""The first fault of a pair."""
SECOND = ("cut-before", "cut-after", "status=404", "status=403", "status=200", "status=500", "garbage")
"""The second fault of a pair: it meets the repetition, or the look for what a lost answer may have made."""
LOOKS = {
    "one.vm.allocate": "one.vmpool.info",
    "POST /disks/": "GET /disks/",
    "POST /disks/UUID/mounts/": "GET /disks/UUID/mounts/",
}


@dataclass
class World:
    """A cloud, two drivers on it, and what an operation is done to.

    ``driver`` has a short time-out, for what is tried; ``patient`` prepares it, however slow the machine.
    ``calls`` are those which OpenNebula carried out or refused.
    """

    sandbox: Sandbox
    driver: StratusLabNodeDriver
    patient: StratusLabNodeDriver
    calls: mock.Mock
    image: Any = None
    node: Any = None
    volume: Any = None
    before: Any = None
    vms_before: set[str] = field(default_factory=set)

    def vms(self) -> dict[str, tuple[str, str]]:
        """Return state and token of the VMs that are not done, by id."""
        _, pool, _ = self.sandbox.location("here").oned.call("one.vmpool.info", [-3, -1, -1, -1], "demo")
        return {
            vm.findtext("ID", ""): (
                f"{vm.findtext('STATE')}/{vm.findtext('LCM_STATE')}",
                vm.findtext("TEMPLATE/LIBCLOUD_TOKEN", ""),
            )
            for vm in ElementTree.fromstring(str(pool))
        }

    def disks(self) -> dict[str, tuple[str, str, int]]:
        """Return tag, identifier and number of mounts of the user's own volumes, by UUID."""
        store = self.sandbox.location("here").disks
        return {
            disk.uuid: (disk.tag, disk.identifier, len(store.mounts(disk.uuid)))
            for disk in store.disks("demo")
            if not disk.identifier.startswith("snapshot:")
        }

    def state(self) -> Any:
        return (self.vms(), self.disks())

    def clean_up(self) -> None:
        cloud = self.sandbox.location("here")
        for vm_id in self.vms():
            cloud.oned.call("one.vm.action", ["finalize", int(vm_id)], "demo")
        self.sandbox.clock.step(60)
        cloud.oned.advance()
        for disk in self.disks():
            cloud.disks.delete(disk)


def gone(world: World) -> bool:
    return world.vms().get(world.node.id, ("6/0",))[0] in ("3/15", "6/0")


def left_running(world: World) -> bool:
    return world.vms().get(world.node.id, ("6/0",))[0] != "3/3"


def rebooted(world: World) -> bool:
    """Ask OpenNebula's calls: a reboot leaves no trace in the VM."""
    return any(
        (method, *arguments) == ("one.vm.action", "reboot", int(world.node.id))
        for method, arguments, _ in (call.args for call in world.calls.mock_calls)
    )


def mounted(world: World) -> bool:
    return world.disks()[world.volume.id][2] > 0


def new_vms(world: World) -> list[str]:
    return sorted(set(world.vms()) - world.vms_before)


def new_disks(world: World) -> list[str]:
    return sorted(set(world.disks()) - set(world.before[1]))


def with_node(world: World) -> None:
    world.node = world.patient.create_node("web", world.patient.list_sizes()[0], world.image)
    world.sandbox.clock.step(60)
    assert world.patient.ex_refresh_node(world.node).state == "running"


def with_stopped_node(world: World) -> None:
    with_node(world)
    world.patient.stop_node(world.node)
    world.sandbox.clock.step(60)
    world.sandbox.location("here").oned.advance()


def with_node_to_save(world: World) -> None:
    world.node = world.patient.create_node(
        "web", world.patient.list_sizes()[0], world.image, ex_save_as=ImageDescription("a@example.org")
    )
    world.sandbox.clock.step(60)
    world.sandbox.location("here").oned.advance()


def with_volume(world: World) -> None:
    world.volume = world.patient.create_volume(1, "data")


def with_both(world: World) -> None:
    with_node(world)
    with_volume(world)


def attached(world: World) -> None:
    with_both(world)
    world.patient.attach_volume(world.node, world.volume)


def attached_and_listed(world: World) -> None:
    attached(world)
    world.volume = world.patient.ex_get_volume(world.volume.id)


def nothing(_: World) -> None:
    pass


def start(world: World, image: Any) -> Any:
    return world.driver.create_node("web", world.driver.list_sizes()[0], image)


@dataclass(frozen=True)
class Operation:
    """What is done, which requests that takes, and how to see in the cloud that it was done.

    Without ``done`` it is a reading, after which everything must be as before.
    """

    requests: tuple[str, ...]
    act: Callable[[World], Any]
    prepare: Callable[[World], None] = nothing
    done: Callable[[World], bool] | None = None
    right: Callable[[World, Any], bool] = lambda world, result: bool(result)


OPERATIONS = {
    "list_nodes": Operation(
        ("one.vmpool.info",),
        lambda world: world.driver.list_nodes(),
        with_node,
        right=lambda world, nodes: [node.id for node in nodes] == list(world.vms()),
    ),
    "ex_get_node_details": Operation(
        ("one.vm.info",),
        lambda world: world.driver.ex_get_node_details(world.node.id),
        with_node,
        right=lambda world, node: node.id == world.node.id,
    ),
    "ex_refresh_node": Operation(
        ("one.vm.info",),
        lambda world: world.driver.ex_refresh_node(world.node),
        with_node,
        right=lambda world, node: node._state == "running",
    ),
    "ex_find_node": Operation(
        ("one.vmpool.info",),
        lambda world: world.driver.ex_find_node(world.node.extra["token"]),
        with_node,
        right=lambda world, node: node.id == world.node.id,
    ),
    "wait_until_running": Operation(
        ("one.vmpool.info",),
        lambda world: world.driver.wait_until_running([world.node], wait_period=0.05, timeout=TIMEOUT),
        with_node,
        right=lambda world, found: found[0][0].id == world.node.id,
    ),
    "list_images": Operation(
        ("GET /metadata",),
        lambda world: world.driver.list_images(),
        right=lambda world, images: world.image.id in {image.id for image in images},
    ),
    "get_image": Operation(
        ("GET /metadata/ID",),
        lambda world: world.driver.get_image(world.image.id),
        right=lambda world, image: image.id == world.image.id,
    ),
    "ex_get_image_metadata": Operation(
        ("GET /metadata/ID",),
        lambda world: world.driver.ex_get_image_metadata(world.image),
        right=lambda world, metadata: metadata.identifier == world.image.id,
    ),
    "list_volumes": Operation(
        ("GET /disks/",),
        lambda world: world.driver.list_volumes(),
        with_volume,
        right=lambda world, volumes: [volume.id for volume in volumes] == [world.volume.id],
    ),
    "ex_get_volume": Operation(
        ("GET /disks/UUID",),
        lambda world: world.driver.ex_get_volume(world.volume.id),
        with_volume,
        right=lambda world, volume: volume.id == world.volume.id,
    ),
    "create_node, listed image": Operation(
        ("one.vm.allocate", "one.vm.info"),
        lambda world: start(world, world.image),
        done=lambda world: bool(new_vms(world)),
        right=lambda world, node: new_vms(world) == [node.id],
    ),
    "create_node, bare identifier": Operation(
        ("GET /metadata/ID", "one.vm.allocate", "one.vm.info"),
        lambda world: start(world, NodeImage(world.image.id, "", world.driver)),
        done=lambda world: bool(new_vms(world)),
        right=lambda world, node: new_vms(world) == [node.id],
    ),
    "destroy_node": Operation(
        ("one.vm.action",), lambda world: world.driver.destroy_node(world.node), with_node, gone
    ),
    "ex_shutdown_node": Operation(
        ("one.vm.action",), lambda world: world.driver.ex_shutdown_node(world.node), with_node, left_running
    ),
    "reboot_node": Operation(
        ("one.vm.action",), lambda world: world.driver.reboot_node(world.node), with_node, rebooted
    ),
    "stop_node": Operation(
        ("one.vm.action",), lambda world: world.driver.stop_node(world.node), with_node, left_running
    ),
    "ex_suspend_node": Operation(
        ("one.vm.action",), lambda world: world.driver.ex_suspend_node(world.node), with_node, left_running
    ),
    "start_node": Operation(
        ("one.vm.action",),
        lambda world: world.driver.start_node(world.node),
        with_stopped_node,
        lambda world: world.vms()[world.node.id][0] != "4/0",
    ),
    "ex_save_node": Operation(
        ("one.vm.info", "one.vm.action"),
        lambda world: world.driver.ex_save_node(world.node),
        with_node_to_save,
        left_running,
    ),
    "create_volume": Operation(
        ("POST /disks/", "GET /disks/UUID"),
        lambda world: world.driver.create_volume(1, "new"),
        done=lambda world: bool(new_disks(world)),
        right=lambda world, volume: new_disks(world) == [volume.id],
    ),
    "destroy_volume": Operation(
        ("DELETE /disks/UUID",),
        lambda world: world.driver.destroy_volume(world.volume),
        with_volume,
        lambda world: world.volume.id not in world.disks(),
    ),
    "attach_volume": Operation(
        ("one.vm.info", "POST /disks/UUID/mounts/"),
        lambda world: world.driver.attach_volume(world.node, world.volume),
        with_both,
        mounted,
    ),
    "detach_volume": Operation(
        ("DELETE /disks/UUID/mounts/MOUNT",),
        lambda world: world.driver.detach_volume(world.volume),
        attached,
        lambda world: not mounted(world),
    ),
    "detach_volume, from a list": Operation(
        ("GET /disks/UUID/mounts/", "DELETE /disks/UUID/mounts/MOUNT"),
        lambda world: world.driver.detach_volume(world.volume),
        attached_and_listed,
        lambda world: not mounted(world),
    ),
}


def rules(operation: Operation) -> Iterator[str]:
    for request in operation.requests:
        for family, whats in FAULTS.items():
            if family.endswith(("OpenNebula", "XML-RPC")) and not request.startswith("one."):
                continue
            for what in whats:
                for when in WHEN:
                    yield f"{request}:{when}{what}"


def pairs(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yield the first fault of a request, and the fault of its repetition or of the look for its effect."""
    for request in operation.requests:
        look = LOOKS.get(request)
        for first in FIRST:
            for second in SECOND:
                yield f"{request}:nth=1:{first}", f"{look or request}:{second}"


def every_rule(operation: Operation) -> list[tuple[str, ...]]:
    return [*((rule,) for rule in rules(operation)), *pairs(operation)]


def tried(world: World, operation: Operation, together: Sequence[str]) -> str:
    """Do an operation under a fault, compare what was told with what is, and return the kind of outcome."""
    operation.prepare(world)
    world.before, world.vms_before = world.state(), set(world.vms())
    world.sandbox.request_log.clear()
    faults = [world.sandbox.faults.add(rule) for rule in together]
    try:
        result = operation.act(world)
    except StratusLabError as error:
        rest(world, faults)
        return told(world, operation, error)
    except LibcloudError as error:
        rest(world, faults)
        return waited_in_vain(world, error)
    rest(world, faults)
    assert operation.right(world, result), result
    assert len(new_vms(world)) + len(new_disks(world)) <= 1
    if operation.done is None:
        assert world.state() == world.before
    else:
        assert operation.done(world)
    return "as without the fault"


def rest(world: World, faults: Sequence[ActiveFault]) -> None:
    """End the faults, and wait for the requests that they hold up."""
    world.sandbox.faults.clear()
    for fault in faults:
        while world.sandbox.request_log.operations().count(fault.fault.operation) < fault.matched:
            threading.Event().wait(0.01)


def waited_in_vain(world: World, error: LibcloudError) -> str:
    assert str(error.value).startswith("Timed out after")
    assert world.state() == world.before
    return "an error, and nothing was done"


def told(world: World, operation: Operation, error: StratusLabError) -> str:
    changed = operation.done is not None and operation.done(world)
    assert len(new_vms(world)) + len(new_disks(world)) <= 1
    if isinstance(error, UnsettledError):
        marks = [world.vms()[vm][1] for vm in new_vms(world)] + [
            world.disks()[disk][1] for disk in new_disks(world)
        ]
        assert marks in ([], [error.token])
        return "an error that says what may be, with a token"
    if outcome_unknown(error) and operation.done is not None:
        return "an error that says what may be"
    assert not changed, error
    assert world.state() == world.before, error
    return "an error, and nothing was done"


def cloud() -> Sandbox:
    clock = Clock()
    clock.stop()
    return Sandbox(locations=["here"], clock=clock)


def watched(sandbox: Sandbox) -> Any:
    oned = sandbox.location("here").oned
    return mock.patch.object(oned, "call", wraps=oned.call)


def outcomes(name: str, step: int = 1) -> Counter[str]:
    """Try one operation under all faults, or each ``step``-th, and count the kinds of outcomes."""
    operation = OPERATIONS[name]
    todo = every_rule(operation)[::step]
    with ThreadPoolExecutor(CLOUDS) as clouds:
        return sum(
            clouds.map(lambda first: outcomes_under(todo[first::CLOUDS], name, operation), range(CLOUDS)),
            Counter[str](),
        )


def outcomes_under(todo: Sequence[tuple[str, ...]], name: str, operation: Operation) -> Counter[str]:
    counts: Counter[str] = Counter()
    with cloud() as sandbox, watched(sandbox) as calls:
        driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=TIMEOUT)
        patient = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file)
        image = patient.list_images()[0]
        for rule in todo:
            calls.reset_mock()
            world = World(sandbox, driver, patient, calls, image)
            try:
                counts[tried(world, operation, rule)] += 1
            except AssertionError as error:
                raise AssertionError(f"{name} under {' and '.join(rule)}: {error}") from error
            finally:
                world.clean_up()
    return counts


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.01)


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_told_is_so(name: str) -> None:
    counts = outcomes(name)

    assert counts.total() == len(every_rule(OPERATIONS[name]))
    assert counts["as without the fault"] > 0


@pytest.mark.parametrize(
    "name", ["create_node, listed image", "create_volume", "destroy_node", "destroy_volume"]
)
def test_what_is_told_is_so_in_a_part_of_the_cases(name: str) -> None:
    """Here for the quick suite."""
    outcomes(name, 17)
