from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from stratuslab.sandbox import Fault, Faults
from stratuslab.sandbox.faults.action import CutAfter, Garbage

INFO = ("compute", "one.vm.info", "paris")


@pytest.fixture
def faults() -> Faults:
    return Faults(["paris", "lyon"])


def test_faults_are_counted(faults: Faults) -> None:
    first = faults.add(Fault("one.vm.info", Garbage()))
    second = faults.add("one.*@paris:nth=2:cut-after")
    third = faults.add("one.*@lyon:garbage")
    assert [fault.id for fault in faults] == [1, 2, 3]
    assert [faults.strike(*INFO) for _ in range(3)] == [
        [first.fault],
        [first.fault, second.fault],
        [first.fault],
    ]
    assert [(fault.matched, fault.fired) for fault in (first, second, third)] == [(3, 3), (3, 1), (0, 0)]
    assert second.fault.action == CutAfter()
    assert repr(second) == "<ActiveFault 2 'one.*@paris:nth=2:cut-after' matched=3 fired=1>"


def test_faults_can_be_removed(faults: Faults) -> None:
    ids = [faults.add("*:garbage").id for _ in range(3)]
    faults.remove(ids[1])
    assert [fault.id for fault in faults] == [ids[0], ids[2]]
    with pytest.raises(KeyError):
        faults.remove(ids[1])
    assert len(faults) == 2
    faults.clear()
    assert not faults
    assert faults.strike(*INFO) == []
    assert faults.add("*:garbage").id not in ids


@pytest.mark.parametrize("rule", ["nonsense", "*@nowhere:garbage", Fault("*", Garbage(), "")])
def test_what_cannot_be_added(faults: Faults, rule: Fault | str) -> None:
    with pytest.raises(ValueError, match=r"not a rule for a fault|does not exist"):
        faults.add(rule)
    assert not faults


def test_requests_at_a_time_are_all_counted(faults: Faults) -> None:
    tenth = faults.add("*:cycle=ok,ok,ok,ok,ok,ok,ok,ok,ok,fail:garbage")
    with ThreadPoolExecutor(8) as executor:
        struck = sum(executor.map(lambda _: len(faults.strike(*INFO)), range(4000)))
    assert (struck, tenth.matched, tenth.fired) == (400, 4000, 400)


@pytest.mark.parametrize(
    ("operation", "nearest"),
    [
        ("one.vm.alocate", "one.vm.allocate"),
        ("POST /disk/", "POST /disks/"),
        ("DELETE /disks/UUID/mount/MOUNT", "DELETE /disks/UUID/mounts/MOUNT"),
        ("one.vmpol.*", "one.vmpool.info"),
    ],
)
def test_an_operation_that_does_not_exist_is_refused(faults: Faults, operation: str, nearest: str) -> None:
    with pytest.raises(ValueError, match="no operation") as caught:
        faults.add(f"{operation}:garbage")
    assert str(caught.value) == f"there is no operation {operation!r}; the nearest is {nearest!r}"
    assert len(faults) == 0


@pytest.mark.parametrize(
    "operation",
    [
        "*",
        "one.vm.*",
        "one.vm.diskresize",
        "system.listMethods",
        "POST xmlrpc",
        "HEAD /disks/UUID",
        "DELETE /disks/UUID/mounts/MOUNT",
        "GET /metadata",
        "GET /metadata/ID",
        "GET /metadata/EMAIL/DATE",
        "POST /upload",
    ],
)
def test_operations_that_exist(faults: Faults, operation: str) -> None:
    assert faults.add(f"{operation}:garbage").fault.operation == operation
