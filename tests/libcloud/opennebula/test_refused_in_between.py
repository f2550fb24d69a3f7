"""A proxy may pass a request on and then refuse it itself: what was done is told as done, or as in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import StratusLabError, UnsettledError, outcome_unknown
from stratuslab.client.opennebula import orders
from stratuslab.client.transport import retry, settlement
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

STATUSES = [307, 404, 408, 413, 429]
KIND = "opennebula-6.10"


class World:
    """A cloud with a node, a volume and an image; the volume is attached if asked for, and has a snapshot."""

    def __init__(self, sandbox: Sandbox, *, attached: bool) -> None:
        self.sandbox = sandbox
        self.driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=3)
        self.node = self.driver.create_node("web", "m1.small", "0")
        self.driver.wait_until_running([self.node], wait_period=0.02, timeout=20)
        self.volume = self.driver.create_volume(1, "data")
        self.image = self.driver.get_image("0")
        self.keys = self.driver.create_key_pair("old")
        if attached:
            self.driver.attach_volume(self.node, self.volume)
            self.snapshot = self.driver.create_volume_snapshot(self.volume, "old")

    def names(self, what: str) -> set[str]:
        lists: dict[str, Callable[[], list[Any]]] = {
            "nodes": self.driver.list_nodes,
            "volumes": self.driver.list_volumes,
            "images": lambda: self.driver.list_images(ex_status="all"),
            "keys": self.driver.list_key_pairs,
            "snapshots": lambda: self.driver.list_volume_snapshots(self.volume),
            "running": lambda: self.driver.list_nodes(ex_state="running"),
            "attached": lambda: [it for it in self.driver.list_volumes() if it.extra["count"]],
        }
        return {it.name for it in lists[what]()}


Operation = tuple[str, bool, "Callable[[World], object]", str, str, bool]
OPERATIONS: dict[str, Operation] = {
    "create_volume": (
        "one.image.allocate", False, lambda w: w.driver.create_volume(1, "new"), "volumes", "new", True,
    ),
    "destroy_volume": (
        "one.image.delete", False, lambda w: w.driver.destroy_volume(w.volume), "volumes", "data", False,
    ),
    "attach_volume": (
        "one.vm.attach", False, lambda w: w.driver.attach_volume(w.node, w.volume), "attached", "data", True,
    ),
    "detach_volume": (
        "one.vm.detach", True, lambda w: w.driver.detach_volume(w.volume), "attached", "data", False,
    ),
    "create_volume_snapshot": (
        "one.vm.disksnapshotcreate",
        True,
        lambda w: w.driver.create_volume_snapshot(w.volume, "new"),
        "snapshots",
        "new",
        True,
    ),
    "create_image": (
        "one.vm.disksaveas", False, lambda w: w.driver.create_image(w.node, "new"), "images", "new", True,
    ),
    "copy_image": (
        "one.image.clone", False, lambda w: w.driver.copy_image("", w.image, "new"), "images", "new", True,
    ),
    "delete_image": (
        "one.image.delete", False, lambda w: w.driver.delete_image(w.image), "images", "debian-12", False,
    ),
    "create_key_pair": (
        "one.user.update", False, lambda w: w.driver.create_key_pair("new"), "keys", "new", True,
    ),
    "delete_key_pair": (
        "one.user.update", False, lambda w: w.driver.delete_key_pair(w.keys), "keys", "old", False,
    ),
    "destroy_node": (
        "one.vm.action", False, lambda w: w.driver.destroy_node(w.node), "nodes", "web", False,
    ),
    "stop_node": ("one.vm.action", False, lambda w: w.driver.stop_node(w.node), "running", "web", False),
    "ex_suspend_node": (
        "one.vm.action", False, lambda w: w.driver.ex_suspend_node(w.node), "running", "web", False,
    ),
}  # fmt: skip
LOOKS = {
    "create_volume": "one.imagepool.info",
    "destroy_volume": "one.image.info",
    "attach_volume": "one.vm.info",
    "delete_image": "one.image.info",
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(orders, "_OLD_STATE_SECONDS", 0.3)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("effect", [":carried-out", ""], ids=["done", "not done"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_told_is_so(name: str, effect: str, status: int) -> None:
    method, attached, call, what, mark, there = OPERATIONS[name]
    with Sandbox(locations=["here"], cloud=KIND, boot_seconds=0) as sandbox:
        world = World(sandbox, attached=attached)
        sandbox.faults.add(f"{method}:nth=1:status={status}{effect}")
        try:
            call(world)
        except StratusLabError as error:
            told = "in doubt" if outcome_unknown(error) else "not done"
        else:
            told = "done"
        sandbox.faults.clear()
        done = (mark in world.names(what)) is there

        assert told in (("done", "in doubt") if done else ("not done", "in doubt"))
        if method != "one.vm.action":
            assert told == ("done" if done else "not done")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", LOOKS)
def test_a_look_that_fails_settles_nothing(name: str, status: int) -> None:
    method, attached, call, *_ = OPERATIONS[name]
    with Sandbox(locations=["here"], cloud=KIND, boot_seconds=0) as sandbox:
        world = World(sandbox, attached=attached)
        sandbox.faults.add(f"{method}:status={status}:carried-out")
        sandbox.faults.add(f"{LOOKS[name]}:status=500")

        with pytest.raises(StratusLabError) as caught:
            call(world)
        assert outcome_unknown(caught.value)
        assert isinstance(caught.value, UnsettledError) is (name == "create_volume")
