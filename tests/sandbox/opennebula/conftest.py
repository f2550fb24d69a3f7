from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.location import Location

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.oned import Oned

NOW = 1_400_000_000
BOOT_SECONDS = 8.0
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
    return Cloud(Location("paris", clock, BOOT_SECONDS), clock)
