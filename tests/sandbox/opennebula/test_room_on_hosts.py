from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.opennebula import life_cycle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.opennebula.conftest import RunningCloud

    Start = Callable[..., RunningCloud]

NOW = 1_400_000_000
PENDING, HOLD, RUNNING, STOPPED = (1, 0), (2, 0), (3, 3), (4, 0)
SUSPENDED, DONE, FAILED = (5, 0), (6, 0), (7, 0)


def full(start: Start, waiting: int, **options: object) -> RunningCloud:
    """Start a cloud with one VM that takes all the room, and others that wait for it."""
    cloud = start(**options)
    for _ in range(1 + waiting):
        cloud.allocate("2")
    cloud.step(100)
    assert cloud.states() == [RUNNING] + [PENDING] * waiting
    return cloud


def test_a_vm_waits_until_there_is_room(start: Start) -> None:
    cloud = start()
    for _ in range(4):
        cloud.allocate()
    cloud.step(100)
    assert cloud.states() == [RUNNING, RUNNING, PENDING, PENDING]
    assert "<HISTORY_RECORDS/>" in cloud.info(2)
    cloud.act("finalize", 0)
    assert cloud.states() == [(3, 15), RUNNING, (3, 1), PENDING]
    cloud.step(3)
    assert cloud.states() == [DONE, RUNNING, RUNNING, PENDING]


def test_the_times_of_a_vm_which_waited(start: Start) -> None:
    cloud = start()
    for _ in range(3):
        cloud.allocate()
    cloud.step(100)
    cloud.act("shutdown", 1)
    cloud.step(100)
    assert "<STATE>3</STATE><LCM_STATE>3</LCM_STATE>" in cloud.oned.document(2)
    assert cloud.states() == [RUNNING, DONE, RUNNING]
    left = NOW + 204
    assert f"<ETIME>{left}</ETIME><DEPLOY_ID>" in cloud.info(1)
    times = re.findall(r"<(STIME|PSTIME|PETIME|RSTIME)>(\d+)<", cloud.info(2))
    assert times[1:] == [
        ("STIME", str(left)),
        ("PSTIME", str(left)),
        ("PETIME", str(left + 4)),
        ("RSTIME", str(left + 4)),
    ]


def test_who_waits_longest_comes_first_if_it_fits(start: Start) -> None:
    cloud = start()
    for cpu in ("2", "2", "1", "1"):
        cloud.allocate(cpu)
        cloud.step(0.25)
    cloud.step(100)
    assert cloud.states() == [RUNNING, PENDING, PENDING, PENDING]
    cloud.act("finalize", 0)
    cloud.step(100)
    assert cloud.states() == [DONE, RUNNING, PENDING, PENDING]
    cloud.act("finalize", 1)
    cloud.step(100)
    assert cloud.states() == [DONE, DONE, RUNNING, RUNNING]


@pytest.mark.parametrize(
    ("wanted", "states"),
    [
        (["1.5", "1", "0.5", "0.01"], [RUNNING, PENDING, RUNNING, PENDING]),
        (["0.1 1536", "0.1 513", "0.1 512", "0.1 0"], [RUNNING, PENDING, RUNNING, RUNNING]),
        (["2 2048", "many much", "-1 much", "1e9 much", "inf much"], [RUNNING] * 5),
    ],
    ids=["a smaller one takes what is left", "memory is room too", "what is no number takes none"],
)
def test_room_for_some(start: Start, wanted: list[str], states: list[tuple[int, int]]) -> None:
    cloud = start()
    for room in wanted:
        cloud.allocate(*room.split())
    cloud.step(100)
    assert cloud.states() == states


def test_a_vm_too_big_for_every_host_waits_for_ever(start: Start) -> None:
    cloud = start(hosts=3)
    cloud.allocate("3")
    cloud.step(1000)
    assert cloud.states() == [PENDING]
    cloud.act("finalize", 0)
    assert cloud.states() == [DONE]


def test_all_hosts_are_filled(start: Start) -> None:
    cloud = start(hosts=3, capacity=(2, 4096))
    for _ in range(7):
        cloud.allocate()
    cloud.step(100)
    assert cloud.states() == [RUNNING] * 6 + [PENDING]
    assert cloud.hosts("NAME") == [f"node-{number}.sandbox.example.org" for number in (1, 2, 3)]
    assert cloud.hosts("RUNNING_VMS") == ["2", "2", "2"]
    assert cloud.hosts("CPU_USAGE") == cloud.hosts("MAX_CPU") == ["200"] * 3
    assert cloud.hosts("MEM_USAGE") == ["1048576"] * 3
    assert cloud.hosts("MAX_MEM") == ["4194304"] * 3


def test_without_a_capacity_there_is_room_for_all(start: Start) -> None:
    cloud = start(capacity=None)
    for _ in range(50):
        cloud.allocate()
    cloud.step(4)
    assert cloud.states() == [RUNNING] * 50
    assert cloud.hosts("RUNNING_VMS") == ["50"]


@pytest.mark.parametrize(
    ("action", "state"), [("stop", STOPPED), ("suspend", SUSPENDED), ("cancel", DONE), ("fail", FAILED)]
)
def test_who_leaves_the_host_makes_room(start: Start, action: str, state: tuple[int, int]) -> None:
    cloud = full(start, waiting=1)
    if action == "fail":
        cloud.oned.fail(0, "no more power")
    else:
        cloud.act(action, 0)
    cloud.step(5)
    assert cloud.states() == [state, RUNNING]


def test_a_resumed_vm_needs_room_again(start: Start) -> None:
    cloud = full(start, waiting=1)
    cloud.act("stop", 0)
    cloud.step(100)
    cloud.act("resume", 0)
    cloud.step(100)
    assert cloud.states() == [PENDING, RUNNING]
    cloud.act("finalize", 1)
    cloud.step(100)
    assert cloud.states() == [RUNNING, DONE]


def test_a_vm_on_hold_does_not_take_the_room(start: Start) -> None:
    cloud = full(start, waiting=2)
    cloud.act("hold", 1)
    cloud.act("finalize", 0)
    cloud.step(100)
    assert cloud.states() == [DONE, HOLD, RUNNING]
    cloud.act("release", 1)
    cloud.step(100)
    assert cloud.states() == [DONE, PENDING, RUNNING]
    cloud.act("finalize", 2)
    cloud.step(100)
    assert cloud.states() == [DONE, RUNNING, DONE]


def test_a_vm_which_was_put_aside_stays_there(start: Start) -> None:
    cloud = full(start, waiting=1)
    cloud.oned.set_state(1, *PENDING)
    cloud.act("finalize", 0)
    cloud.step(100)
    assert cloud.states() == [DONE, PENDING]


def test_a_vm_which_was_put_on_its_host_does_not_wait(start: Start) -> None:
    cloud = full(start, waiting=1)
    cloud.oned.set_state(1, *RUNNING)
    cloud.act("shutdown", 1)
    cloud.step(100)
    assert cloud.states() == [RUNNING, DONE]


def test_a_vm_which_waited_and_was_forgotten(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life_cycle, "DONE_VMS_KEPT", 1)
    cloud = full(start, waiting=3)
    for vm_id in (1, 2):
        cloud.act("finalize", vm_id)
        cloud.step(1)
    assert cloud.states() == [RUNNING, DONE, PENDING]
    cloud.act("finalize", 0)
    cloud.step(100)
    assert cloud.states()[-1] == RUNNING


def test_room_in_no_time(start: Start) -> None:
    cloud = start(boot_seconds=0)
    for _ in range(4):
        cloud.allocate("1")
    assert cloud.states() == [RUNNING, RUNNING, PENDING, PENDING]
    cloud.act("finalize", 0, 1)
    assert cloud.states() == [DONE, DONE, RUNNING, RUNNING]


def test_who_waits_still_waits_after_a_restart(start: Start, tmp_path: Path) -> None:
    cloud = full(start, waiting=1, state_file=tmp_path / "state")
    cloud.sandbox.stop()
    cloud = start(state_file=tmp_path / "state")
    cloud.step(100)
    assert cloud.states() == [RUNNING, PENDING]
    cloud.act("finalize", 0)
    cloud.sandbox.stop()
    cloud = start(state_file=tmp_path / "state")
    cloud.step(100)
    assert cloud.states() == [DONE, RUNNING]
    assert f"<STIME>{NOW + 400}</STIME><ETIME>0</ETIME><VMMMAD>" in cloud.info(1)


@pytest.mark.parametrize(
    "wrong", [{"hosts": 0}, {"hosts": -1}, {"host_capacity": (-1, 512)}, {"host_capacity": (1, -1)}]
)
def test_hosts_which_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="host"):
        Sandbox(**wrong)
