from __future__ import annotations

import re
import xmlrpc.client
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Clock, Sandbox
from stratuslab.sandbox.location import Location
from stratuslab.sandbox.opennebula.model.hosts import make_hosts
from stratuslab.sandbox.opennebula.model.networks import default_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratuslab.sandbox.opennebula.oned import Oned

NOW = 1_400_000_000
BOOT_SECONDS = 8.0
QUARTER = 2.0
TEMPLATE = "NAME = web\nCPU = 1\nMEMORY = 512\n"


@dataclass
class Cloud:
    """A location with its clock, asked as one user asks it."""

    location: Location
    clock: Clock
    user: str = "alice"

    @property
    def oned(self) -> Oned:
        return self.location.oned

    def call(self, method: str, *arguments: object, user: str | None = None) -> list[object]:
        return [*self.oned.call(method, arguments, user or self.user)]

    def allocate(self, template: str = TEMPLATE, *, user: str | None = None) -> int:
        ok, vm_id, _ = self.call("one.vm.allocate", template, user=user)
        assert ok, vm_id
        assert isinstance(vm_id, int)
        return vm_id

    def running(self, template: str = TEMPLATE) -> int:
        vm_id = self.allocate(template)
        self.clock.step(BOOT_SECONDS)
        assert self.states(vm_id) == (3, 3)
        return vm_id

    def act(self, action: str, vm_id: int, *, user: str | None = None) -> list[object]:
        return self.call("one.vm.action", action, vm_id, user=user)

    def info(self, vm_id: int) -> str:
        ok, document, _ = self.call("one.vm.info", vm_id)
        assert ok, document
        assert isinstance(document, str)
        return document

    def states(self, vm_id: int) -> tuple[int, int]:
        found = re.search(r"<STATE>(\d+)</STATE><LCM_STATE>(\d+)</LCM_STATE>", self.info(vm_id))
        assert found
        return int(found[1]), int(found[2])

    def pool(self, *selection: int, user: str | None = None) -> list[int]:
        ok, document, _ = self.call("one.vmpool.info", *(selection or (-3, -1, -1, -1)), user=user)
        assert ok, document
        assert isinstance(document, str)
        return [int(vm_id) for vm_id in re.findall(r"<VM><ID>(\d+)</ID>", document)]


@pytest.fixture
def cloud() -> Cloud:
    clock = Clock(NOW)
    location = Location("paris", clock, BOOT_SECONDS, make_hosts("paris"), default_networks())
    return Cloud(location, clock)


class RunningCloud:
    """A sandbox whose clock stands still, and its administrator, who asks over HTTP."""

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
def start() -> Iterator[Callable[..., RunningCloud]]:
    with ExitStack() as clouds:

        def new_cloud(
            hosts: int = 1,
            capacity: tuple[int, int] | None = (2, 2048),
            boot_seconds: float = 4 * QUARTER,
            state_file: Path | None = None,
        ) -> RunningCloud:
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
            return RunningCloud(sandbox, proxy)

        yield new_cloud
