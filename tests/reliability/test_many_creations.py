"""10,000 creations by eight threads while a fifth of the requests go wrong: none is lost, none doubled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest

from stratuslab.client.errors import UnreachableError, UnsettledError
from stratuslab.client.transport import retry, settlement
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Clock, Sandbox
from stratuslab.sandbox.opennebula import life_cycle
from stratuslab.sandbox.opennebula.current import life_cycle as current_life_cycle

CREATIONS, THREADS = 10_000, 8
LOST = ("cut-before", "cut-after", "cut-at=40", "status=502:carried-out", "garbage")
NOT_DONE = -1


@dataclass(frozen=True)
class Kind:
    """What the test asks a cloud of a kind by itself."""

    cloud: str
    session: str
    end: str
    reads: tuple[str, ...]
    pool: str
    token: str


KINDS = {
    "stratuslab": Kind(
        "stratuslab",
        "demo",
        "finalize",
        ("one.vm.info", "one.vmpool.info"),
        "one.vmpool.info",
        "TEMPLATE/LIBCLOUD_TOKEN",
    ),
    "opennebula": Kind(
        "opennebula-6.10",
        "demo:demo-pass",
        "terminate-hard",
        ("one.vm.info", "one.vmpool.infoextended"),
        "one.vmpool.infoextended",
        "USER_TEMPLATE/LIBCLOUD_TOKEN",
    ),
}


@pytest.mark.slow(seconds=100)
@pytest.mark.parametrize("name", KINDS)
def test_the_cloud_has_the_nodes_that_were_returned_and_those_named_in_errors(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(settlement, "_FIRST_PAUSE", 0.01)
    for module in (life_cycle, current_life_cycle):
        monkeypatch.setattr(module, "DONE_VMS_KEPT", 20)
    clock = Clock()
    clock.stop()
    kind = KINDS[name]
    with (
        Sandbox(locations=["here"], cloud=kind.cloud, clock=clock) as sandbox,
        ThreadPoolExecutor(THREADS) as threads,
    ):

        def ask(method: str, *arguments: str | int) -> str:
            if name == "stratuslab":
                accepted, answer, *_ = sandbox.location("here").oned.call(method, [*arguments], kind.session)
            else:
                accepted, answer, *_ = sandbox.opennebula("here").oned.call(
                    method, [kind.session, *arguments]
                )
            assert accepted
            return str(answer)

        driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=0.3)
        image, size = driver.list_images()[0], driver.list_sizes()[0]
        # So that the default network is known, which is asked for once.
        ask("one.vm.action", kind.end, int(driver.create_node("first", size, image).id))
        for seed, what in enumerate(LOST):
            for operation in ("one.vm.allocate", *kind.reads):
                sandbox.faults.add(f"{operation}:probability=0.04:seed={seed}:{what}")

        def create(number: int) -> tuple[str, str]:
            """Return what the caller was told: the id of a node, which is then ended, or an error's token.

            Or that nothing was sent, where the other threads left no time for it.
            """
            try:
                node = driver.create_node(f"node-{number}", size, image)
            except UnsettledError as error:
                return ("token", error.token)
            except UnreachableError:
                return ("nothing", "")
            assert f"<NAME>node-{number}</NAME>" in ask("one.vm.info", int(node.id))
            ask("one.vm.action", kind.end, int(node.id))
            return ("id", node.id)

        told = list(threads.map(create, range(CREATIONS)))
        pool = ask(kind.pool, -3, -1, -1, NOT_DONE)

    left = [vm.findtext(kind.token, "") for vm in ElementTree.fromstring(pool)]
    returned = [name for kind, name in told if kind == "id"]
    tokens = {name for kind, name in told if kind == "token"}
    assert len(told) == CREATIONS
    assert len(set(returned)) == len(returned)
    assert set(left) <= tokens
    assert len(set(left)) == len(left)
    assert tokens
    assert returned
