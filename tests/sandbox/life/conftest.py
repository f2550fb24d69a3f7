from __future__ import annotations

import re
import xmlrpc.client
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Clock, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 1_400_000_000.0
QUARTER = 2.0


class Cloud:
    """A cloud whose clock stands still, and a user of it."""

    def __init__(self, sandbox: Sandbox, one: xmlrpc.client.ServerProxy) -> None:
        self.sandbox = sandbox
        self.oned = sandbox.location("sandbox").oned
        self._one = one

    def call(self, method: str, *arguments: object) -> object:
        ok, value, _ = getattr(self._one, method)("session", *arguments)
        assert ok, value
        return value

    def allocate(self, cpu: str = "1", memory: str = "512", more: str = "") -> int:
        return int(str(self.call("one.vm.allocate", f"CPU = {cpu}\nMEMORY = {memory}\n{more}")))

    def act(self, action: str, *vm_ids: int) -> None:
        for vm_id in vm_ids:
            self.call("one.vm.action", action, vm_id)

    def step(self, quarters: float) -> None:
        self.sandbox.clock.step(quarters * QUARTER)

    def info(self, vm_id: int) -> str:
        return str(self.call("one.vm.info", vm_id))

    def states(self) -> list[tuple[int, int]]:
        pool = str(self.call("one.vmpool.info", -2, -1, -1, -2))
        found = re.findall(r"<STATE>(\d+)</STATE><LCM_STATE>(\d+)</LCM_STATE>", pool)
        return [(int(state), int(lcm_state)) for state, lcm_state in found]

    def hosts(self, element: str) -> list[str]:
        return re.findall(f"<{element}>([^<]*)</{element}>", str(self.call("one.hostpool.info")))


@pytest.fixture
def start() -> Iterator[Callable[..., Cloud]]:
    with ExitStack() as clouds:

        def new_cloud(
            hosts: int = 1,
            capacity: tuple[int, int] | None = (2, 2048),
            boot_seconds: float = 4 * QUARTER,
            state_file: Path | None = None,
        ) -> Cloud:
            sandbox = Sandbox(
                users={"oneadmin": "x"},
                hosts=hosts,
                host_capacity=capacity,
                boot_seconds=boot_seconds,
                clock=Clock(NOW),
                state_file=state_file,
            )
            clouds.enter_context(sandbox)
            url = sandbox.endpoints["sandbox"]["endpoint"].replace("://", "://oneadmin:x@")
            proxy = xmlrpc.client.ServerProxy(url.replace("/xmlrpc", "/pswd/xmlrpc"))
            clouds.enter_context(proxy)
            return Cloud(sandbox, proxy)

        yield new_cloud
