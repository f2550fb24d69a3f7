from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.opennebula.conftest import RunningCloud

    Start = Callable[..., RunningCloud]

RUNNING, SHUTDOWN, EPILOG, DONE = (3, 3), (3, 12), (3, 11), (6, 0)
WITHOUT_ACPI = 'FEATURES = [ PAE = "yes", ACPI = "no" ]'


def ended(cloud: RunningCloud, action: str) -> list[tuple[int, int]]:
    cloud.step(4)
    cloud.act(action, 0)
    seen = []
    for _ in range(4):
        seen += cloud.states()
        cloud.step(1)
    return seen


@pytest.mark.parametrize("features", ["", 'FEATURES = [ ACPI = "yes" ]'])
def test_a_guest_which_knows_acpi_ends(start: Start, features: str) -> None:
    cloud = start()
    cloud.allocate(more=features)
    assert ended(cloud, "shutdown") == [SHUTDOWN, EPILOG, DONE, DONE]


def test_a_guest_without_acpi_goes_on(start: Start) -> None:
    cloud = start()
    cloud.allocate(more=WITHOUT_ACPI)
    assert ended(cloud, "shutdown") == [SHUTDOWN, RUNNING, RUNNING, RUNNING]
    assert "<ETIME>0</ETIME><DEPLOY_ID>" in cloud.info(0)
    assert ended(cloud, "shutdown") == [SHUTDOWN, RUNNING, RUNNING, RUNNING]


@pytest.mark.parametrize("action", ["cancel", "finalize"])
def test_a_guest_without_acpi_can_be_ended(start: Start, action: str) -> None:
    cloud = start()
    cloud.allocate(more=WITHOUT_ACPI)
    assert ended(cloud, action)[-1] == DONE


def test_a_guest_can_be_made_to_ignore_acpi(start: Start) -> None:
    cloud = start()
    cloud.allocate()
    before = cloud.info(0)
    cloud.oned.ignore_acpi(0)
    assert cloud.info(0) == before
    assert ended(cloud, "shutdown") == [SHUTDOWN, RUNNING, RUNNING, RUNNING]
    with pytest.raises(KeyError):
        cloud.oned.ignore_acpi(1)
