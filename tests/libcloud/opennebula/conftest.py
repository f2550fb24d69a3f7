from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.opennebula import waiting
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratuslab.libcloud.node import StratusLabNode

KINDS = ("opennebula-5.12", "opennebula-6.10", "opennebula-7.4")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(waiting, "_LONGEST_PAUSE", 0.05)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sandbox(kind: str) -> Iterator[Sandbox]:
    """One cloud, "here", whose VMs run 0.04 s after they were started."""
    with Sandbox(locations=["here"], cloud=kind, boot_seconds=0.04) as sandbox:
        yield sandbox


@pytest.fixture
def driver(sandbox: Sandbox) -> OpenNebulaNodeDriver:
    return OpenNebulaNodeDriver(stratuslab_user_config=sandbox.config_file, ex_state_max_age=0, timeout=8)


@pytest.fixture
def start(driver: OpenNebulaNodeDriver) -> Callable[..., StratusLabNode]:
    """Start a node of the first image and size, and wait until it runs."""

    def started(name: str = "web", *, running: bool = True, **arguments: Any) -> StratusLabNode:
        values: dict[str, Any] = {
            "image": driver.list_images()[0],
            "size": driver.list_sizes()[0],
        } | arguments
        node = driver.create_node(name, **values)
        if running:
            [(node, _)] = driver.wait_until_running([node], wait_period=0.05, timeout=20)
        return node

    return started


@pytest.fixture
def node(start: Callable[..., StratusLabNode]) -> StratusLabNode:
    return start()


@pytest.fixture
def answer_otherwise(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Callable[[list[Any]], list[Any]]], None]:
    """Let something change the cloud's answers to a method on their way."""
    oned: Any = sandbox.opennebula("here").oned

    def change(method: str, changed: Callable[[list[Any]], list[Any]]) -> None:
        call = oned.call

        def answer(name: str, *arguments: Any) -> list[Any]:
            found = call(name, *arguments)
            return changed(found) if name == method else found

        monkeypatch.setattr(oned, "call", answer)

    return change
