"""Every changing operation on OpenNebula under faults of the network and of its drivers: what is told is so.

And random operations with random failures: nothing that the cloud has accepted is lost, doubled or left
behind.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import LocationsError, StratusLabError, UnsettledError, outcome_unknown
from stratuslab.client.opennebula import waiting
from stratuslab.client.transport import retry, settlement
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIND = "opennebula-6.10"
TIMEOUT = 0.6
FAULTS = (
    "cut-before",
    "cut-after",
    "cut-at=20",
    "cut-at=300",
    f"delay={2 * TIMEOUT}",
    f"delay={2 * TIMEOUT}:carried-out",
    "status=404",
    "status=429",
    "status=500",
    "status=503",
    "status=503:carried-out",
    "garbage",
    "content-type=text/html",
    "error=512",
    "error=2048",
    "error=8192",
    "error=16384",
    "xmlrpc-fault=-501",
)
DRIVER = "driver=fails"


@dataclass
class World:
    """A cloud, a driver that is tried and one that prepares, and what an operation is done to."""

    sandbox: Sandbox
    driver: OpenNebulaNodeDriver
    patient: OpenNebulaNodeDriver
    node: Any = None
    volume: Any = None
    image: Any = None

    @property
    def books(self) -> Any:
        return self.sandbox.opennebula("here").oned.books

    def refreshed(self) -> World:
        """Let the cloud carry out what is due."""
        self.patient.list_nodes()
        return self

    def vms(self) -> dict[str, str]:
        self.refreshed()
        return {node.id: node.extra["state"] for node in self.patient.list_nodes()}

    def images(self) -> dict[str, str]:
        images = self.patient.list_images(ex_kind="all", ex_status="all")
        return {image.id: image.extra["state"] for image in images if image.extra["kind"] != "template"}

    def attached(self) -> bool:
        return any(
            disk["image_id"] == int(self.volume.id) for disk in self.patient.list_nodes()[0].extra["disks"]
        )

    def state(self) -> tuple[dict[str, str], dict[str, str]]:
        return self.vms(), self.images()


def with_node(world: World) -> None:
    image, size = world.patient.list_images()[0], world.patient.list_sizes()[0]
    world.node = world.patient.create_node("web", size, image)
    world.patient.wait_until_running([world.node], wait_period=0.02, timeout=20)


def with_volume(world: World) -> None:
    world.volume = world.patient.create_volume(1, "data")


def with_both(world: World) -> None:
    with_node(world)
    with_volume(world)


def with_attached(world: World) -> None:
    with_both(world)
    world.patient.attach_volume(world.node, world.volume)


def with_stopped(world: World) -> None:
    with_node(world)
    world.patient.stop_node(world.node)


def with_image(world: World) -> None:
    with_node(world)
    world.image = world.patient.create_image(world.node, "golden")


def create(world: World) -> Any:
    return world.driver.create_node("new", world.patient.list_sizes()[0], world.patient.list_images()[0])


def state_is(*states: str) -> Callable[[World], bool]:
    return lambda world: world.vms().get(world.node.id, "DONE") in states


@dataclass(frozen=True)
class Operation:
    """What is done, the request that changes, how it is prepared, and how to see that it is done."""

    request: str
    act: Callable[[World], Any]
    prepare: Callable[[World], None]
    done: Callable[[World], bool]
    reads: tuple[str, ...] = ("one.vm.info",)


OPERATIONS = {
    "create_node": Operation("one.vm.allocate", create, lambda _: None, lambda world: len(world.vms()) == 1),
    "destroy_node": Operation(
        "one.vm.action",
        lambda world: world.driver.destroy_node(world.node),
        with_node,
        state_is("DONE", "EPILOG"),
    ),
    "stop_node": Operation(
        "one.vm.action", lambda world: world.driver.stop_node(world.node), with_node, state_is("POWEROFF")
    ),
    "start_node": Operation(
        "one.vm.action", lambda world: world.driver.start_node(world.node), with_stopped, state_is("RUNNING")
    ),
    "ex_suspend_node": Operation(
        "one.vm.action",
        lambda world: world.driver.ex_suspend_node(world.node),
        with_node,
        state_is("SUSPENDED"),
    ),
    "create_volume": Operation(
        "one.image.allocate",
        lambda world: world.driver.create_volume(1, "new"),
        lambda _: None,
        lambda world: "new" in {volume.name for volume in world.patient.list_volumes()},
        ("one.image.info",),
    ),
    "destroy_volume": Operation(
        "one.image.delete",
        lambda world: world.driver.destroy_volume(world.volume),
        with_volume,
        lambda world: world.volume.id not in world.images(),
        ("one.image.info",),
    ),
    "attach_volume": Operation(
        "one.vm.attach",
        lambda world: world.driver.attach_volume(world.node, world.volume),
        with_both,
        World.attached,
    ),
    "detach_volume": Operation(
        "one.vm.detach",
        lambda world: world.driver.detach_volume(world.volume),
        with_attached,
        lambda world: not world.attached(),
        ("one.vm.info", "one.image.info"),
    ),
    "create_image": Operation(
        "one.vm.disksaveas",
        lambda world: world.driver.create_image(world.node, "golden"),
        with_node,
        lambda world: "golden" in {image.name for image in world.patient.list_images(ex_status="all")},
        ("one.vm.info", "one.image.info", "one.imagepool.info"),
    ),
    "copy_image": Operation(
        "one.image.clone",
        lambda world: world.driver.copy_image("", world.image, "copy"),
        with_image,
        lambda world: "copy" in {image.name for image in world.patient.list_images(ex_status="all")},
        ("one.image.info", "one.imagepool.info"),
    ),
    "delete_image": Operation(
        "one.image.delete",
        lambda world: world.driver.delete_image(world.image),
        with_image,
        lambda world: world.image.id not in world.images(),
        ("one.image.info",),
    ),
}


LASTING = ("RUNNING", "POWEROFF", "SUSPENDED")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.005)
    monkeypatch.setattr(waiting, "_LONGEST_PAUSE", 0.02)


@contextmanager
def cloud() -> Iterator[World]:
    with Sandbox(locations=["here"], cloud=KIND, boot_seconds=0.02) as sandbox:
        file = sandbox.config_file
        yield World(
            sandbox,
            OpenNebulaNodeDriver(stratuslab_user_config=file, timeout=TIMEOUT),
            OpenNebulaNodeDriver(stratuslab_user_config=file, ex_state_max_age=0, timeout=20),
        )


@pytest.fixture
def world() -> Iterator[World]:
    with cloud() as found:
        yield found


def settled(world: World) -> tuple[dict[str, str], dict[str, str]]:
    """Return VMs and images when nothing passes any more."""
    end = waiting.Pauses(10)
    while True:
        vms, images = world.state()
        passing = [state for state in vms.values() if not (state in LASTING or state.endswith("_FAILURE"))]
        passing += [state for state in images.values() if state in ("LOCKED", "DELETE", "CLONE")]
        if not passing or not end.wait():
            return vms, images


def rules(operation: Operation) -> list[str]:
    changing = [f"{operation.request}:nth=1:{what}" for what in (*FAULTS, DRIVER)]
    return changing + [f"{read}:nth=1:{what}" for read in operation.reads for what in FAULTS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule"), [(name, rule) for name, operation in OPERATIONS.items() for rule in rules(operation)]
)
def test_what_is_told_is_so(world: World, name: str, rule: str) -> None:
    tried(world, OPERATIONS[name], rule)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (name, what)
        for name in ("create_node", "destroy_node", "create_volume", "attach_volume", "detach_volume")
        for what in ("cut-after", "status=503:carried-out", "error=2048", DRIVER)
    ],
)
def test_what_is_told_is_so_in_a_part_of_the_cases(world: World, name: str, what: str) -> None:
    """Here for the quick suite."""
    operation = OPERATIONS[name]
    tried(world, operation, f"{operation.request}:nth=1:{what}")


def outcomes(name: str) -> Counter[str]:
    """Try one operation under all faults, each on a cloud of its own, and count the kinds of outcomes."""
    counts: Counter[str] = Counter()
    for rule in rules(OPERATIONS[name]):
        with cloud() as world:
            counts[tried(world, OPERATIONS[name], rule)] += 1
    return counts


def tried(world: World, operation: Operation, rule: str) -> str:
    """Return the kind of the outcome of an operation under a fault, and check that what is told is so."""
    operation.prepare(world)
    world.driver.list_locations()
    vms, images = settled(world)
    world.sandbox.faults.add(rule)
    error: StratusLabError | None = None
    try:
        operation.act(world)
    except StratusLabError as caught:
        error = caught
    world.sandbox.faults.clear()
    after_vms, after_images = settled(world)

    assert len(set(after_vms) - set(vms)) <= 1
    assert len(set(after_images) - set(images)) <= 1
    if error is None:
        assert operation.done(world)
        return "as without the fault"
    if isinstance(error, UnsettledError):
        return "an error that says what may be, with a token"
    if outcome_unknown(error) or "accepted the order" in str(error):
        return "an error that says what may be"
    assert (set(after_vms), set(after_images)) == (set(vms), set(images)), error
    assert not operation.done(world), error
    return "an error, and nothing was done"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_operations_agree_with_the_books(world: World, seed: int) -> None:
    """A node, volume or image that the cloud has accepted is known to the caller, or named in an error."""
    chance = random.Random(seed)
    driver, patient = world.driver, world.patient
    size, image = patient.list_sizes()[0], patient.list_images()[0]
    given = set(world.images())
    nodes: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    told: list[str] = []
    for step in range(25):
        request = chance.choice(["one.vm.allocate", "one.vm.action", "one.image.allocate", "one.vm.attach"])
        world.sandbox.faults.add(
            f"{request}:nth=1:{chance.choice([*FAULTS[:4], 'status=503:carried-out', DRIVER])}"
        )
        node = chance.choice(list(nodes.values())) if nodes else None
        volume = chance.choice(list(volumes.values())) if volumes else None
        act = chance.choice(["create", "create", "volume", "destroy", "attach", "detach", "delete"])
        try:
            if act == "create":
                made = driver.create_node(f"node-{step}", size, image)
                nodes[made.id] = made
            elif act == "volume":
                new = driver.create_volume(1, f"volume-{step}")
                volumes[new.id] = new
            elif act == "destroy" and node is not None:
                driver.destroy_node(node)
                nodes.pop(node.id)
            elif act == "attach" and node is not None and volume is not None:
                driver.attach_volume(node, volume)
            elif act == "detach" and volume is not None:
                driver.detach_volume(volume)
            elif act == "delete" and volume is not None:
                driver.destroy_volume(volume)
                volumes.pop(volume.id)
        except LocationsError:
            raise
        except StratusLabError as error:
            told.append(str(error))
        world.sandbox.faults.clear()

    settled(world)
    left_nodes = {node.id: node for node in patient.list_nodes(ex_details=True)}
    left_volumes = {volume.id: volume for volume in patient.list_volumes()}
    unknown_nodes = [node for number, node in left_nodes.items() if number not in nodes]
    unknown_volumes = [volume for number, volume in left_volumes.items() if number not in volumes]
    marks = [node.extra.get("token") for node in unknown_nodes]
    marks += [volume.extra.get("identifier") for volume in unknown_volumes]
    for mark in marks:
        assert any(str(mark) in text for text in told), (mark, told)
    for number, node in nodes.items():
        assert number in left_nodes or "may" in " ".join(told), node
    assert set(volumes) - set(left_volumes) == set() or any("image.delete" in text for text in told)
    assert set(world.images()) - given <= set(left_volumes)
