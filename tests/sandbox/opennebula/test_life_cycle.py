from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.opennebula.conftest import Cloud, RunningCloud

NOW = 1_400_000_000
QUARTER = 2.0
SUCCESS, WRONG_STATE, NO_SUCH_ACTION = 0, 2048, 8192
PENDING, HOLD, STOPPED, SUSPENDED, DONE, FAILED = (1, 0), (2, 0), (4, 0), (5, 0), (6, 0), (7, 0)
PROLOG, BOOT, RUNNING, UNKNOWN, CLEANUP = (3, 1), (3, 2), (3, 3), (3, 16), (3, 15)

REFUSED_WHEN_RUNNING = ["hold", "release", "resume", "restart"]
NEED_A_RUNNING_VM = ["shutdown", "cancel", "stop", "suspend", "reboot"]


def trace(cloud: Cloud, vm_id: int, quarters: int) -> list[tuple[int, int]]:
    """Look at a VM now and after each quarter; the same state twice counts once."""
    states = [cloud.states(vm_id)]
    for _ in range(quarters):
        cloud.clock.step(QUARTER)
        states.append(cloud.states(vm_id))
    return [state for state, before in zip(states, [None, *states], strict=False) if state != before]


def record(document: str, seq: int = -1) -> dict[str, str]:
    """Return a history record, the last one unless its number is given."""
    records = re.findall(r"<HISTORY>.*?</HISTORY>", document)
    return dict(re.findall(r"<(\w+)>([^<]*)</\1>", records[seq]))


def element(document: str, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", document)
    assert found
    return found[1]


def image_source(cloud: Cloud) -> str:
    identifier = cloud.location.catalogue.entries()[0].identifier
    return f"https://marketplace.example.org/metadata/{identifier}"


def test_from_pending_to_running(cloud: Cloud) -> None:
    vm_id = cloud.allocate()
    seen = []
    for _ in range(5):
        seen.append(cloud.states(vm_id))
        cloud.clock.step(QUARTER)
    assert seen == [PENDING, PROLOG, PROLOG, BOOT, RUNNING]


def test_without_a_boot_time_a_vm_runs_at_the_next_look(start: Callable[..., RunningCloud]) -> None:
    cloud = start(boot_seconds=0)
    cloud.allocate()
    assert cloud.states() == [RUNNING]


def test_one_late_look_finds_the_times_right(cloud: Cloud) -> None:
    vm_id = cloud.allocate()
    cloud.clock.step(1000)
    document = cloud.info(vm_id)
    assert element(document, "LAST_POLL") == str(NOW + 8)
    assert element(document, "DEPLOY_ID") == f"one-{vm_id}"
    assert element(document, "MEMORY") == str(512 * 1024)
    history = record(document)
    assert history["HOSTNAME"] == "node-1.paris.example.org"
    assert (history["STIME"], history["PSTIME"]) == (str(NOW + 2), str(NOW + 2))
    assert (history["PETIME"], history["RSTIME"]) == (str(NOW + 6), str(NOW + 6))
    assert (history["ETIME"], history["RETIME"], history["REASON"]) == ("0", "0", "0")


def test_before_it_has_a_host_there_is_no_history(cloud: Cloud) -> None:
    document = cloud.info(cloud.allocate())
    assert "<HISTORY_RECORDS/>" in document
    assert "<DEPLOY_ID></DEPLOY_ID><MEMORY>0</MEMORY>" in document


@pytest.mark.parametrize(
    ("action", "states"),
    [
        ("shutdown", [(3, 12), (3, 11), DONE]),
        ("cancel", [(3, 13), (3, 11), DONE]),
        ("finalize", [CLEANUP, DONE]),
        ("stop", [(3, 5), (3, 10), STOPPED]),
        ("suspend", [(3, 6), SUSPENDED]),
        ("reboot", [RUNNING]),
        ("resubmit", [CLEANUP, PENDING, PROLOG, BOOT, RUNNING]),
    ],
)
def test_action_on_a_running_vm(cloud: Cloud, action: str, states: list[tuple[int, int]]) -> None:
    vm_id = cloud.running()
    assert cloud.act(action, vm_id) == [True, vm_id, SUCCESS]
    assert trace(cloud, vm_id, 6) == states


@pytest.mark.parametrize("action", REFUSED_WHEN_RUNNING)
def test_action_which_a_running_vm_refuses(cloud: Cloud, action: str) -> None:
    vm_id = cloud.running()
    assert cloud.act(action, vm_id) == [
        False,
        "[VirtualMachineAction] Wrong state to perform action",
        WRONG_STATE,
    ]
    assert trace(cloud, vm_id, 4) == [RUNNING]


@pytest.mark.parametrize("action", NEED_A_RUNNING_VM)
@pytest.mark.parametrize("quarters", [0, 1, 3])
def test_action_which_a_starting_vm_refuses(cloud: Cloud, action: str, quarters: int) -> None:
    vm_id = cloud.allocate()
    cloud.clock.step(quarters * QUARTER)
    assert cloud.act(action, vm_id)[2] == WRONG_STATE
    cloud.clock.step(4 * QUARTER)
    assert cloud.states(vm_id) == RUNNING


@pytest.mark.parametrize("action", ["poweroff", "delete", "terminate-hard", "HOLD", "Finalize", "", "nosuch"])
def test_action_unknown_to_3_2(cloud: Cloud, action: str) -> None:
    text = "[VirtualMachineAction] Internal error. Action result not defined"
    assert cloud.act(action, cloud.running()) == [False, text, NO_SUCH_ACTION]


def test_hold_and_release(cloud: Cloud) -> None:
    vm_id = cloud.allocate()
    assert cloud.act("hold", vm_id)[0]
    assert trace(cloud, vm_id, 8) == [HOLD]
    assert cloud.act("hold", vm_id)[2] == WRONG_STATE
    assert cloud.act("release", vm_id)[0]
    assert trace(cloud, vm_id, 4) == [PENDING, PROLOG, BOOT, RUNNING]


def test_suspend_and_resume_on_the_same_host(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.act("suspend", vm_id)
    cloud.clock.step(QUARTER)
    suspended = record(cloud.info(vm_id))
    assert (suspended["REASON"], suspended["ETIME"], suspended["ESTIME"]) == ("2", str(NOW + 10), "0")
    cloud.act("resume", vm_id)
    assert trace(cloud, vm_id, 2) == [BOOT, RUNNING]
    resumed = record(cloud.info(vm_id))
    assert (resumed["SEQ"], resumed["HOSTNAME"]) == ("1", suspended["HOSTNAME"])
    assert (resumed["PSTIME"], resumed["RSTIME"], resumed["ETIME"]) == ("0", str(NOW + 10), "0")


def test_stop_and_resume_on_another_host(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.act("stop", vm_id)
    cloud.clock.step(2 * QUARTER)
    stopped = record(cloud.info(vm_id))
    assert (stopped["REASON"], stopped["ESTIME"], stopped["EETIME"]) == ("2", str(NOW + 10), str(NOW + 12))
    cloud.act("resume", vm_id)
    assert trace(cloud, vm_id, 4) == [PENDING, (3, 9), BOOT, RUNNING]
    document = cloud.info(vm_id)
    assert [record(document, seq)["SEQ"] for seq in (0, 1)] == ["0", "1"]
    assert record(document)["HOSTNAME"] != stopped["HOSTNAME"]


@pytest.mark.parametrize("state", [UNKNOWN, BOOT])
def test_restart(cloud: Cloud, state: tuple[int, int]) -> None:
    vm_id = cloud.running()
    cloud.oned.set_state(vm_id, *state)
    assert cloud.act("restart", vm_id)[0]
    assert trace(cloud, vm_id, 1) == [BOOT, RUNNING]


@pytest.mark.parametrize("state", [PENDING, HOLD, STOPPED, FAILED])
def test_resubmit_starts_anew(cloud: Cloud, state: tuple[int, int]) -> None:
    vm_id = cloud.allocate() if state == PENDING else cloud.running()
    if state != PENDING:
        cloud.oned.set_state(vm_id, *state)
    assert cloud.act("resubmit", vm_id)[0]
    assert trace(cloud, vm_id, 4) == [PENDING, PROLOG, BOOT, RUNNING]


@pytest.mark.parametrize("state", [SUSPENDED, DONE])
def test_resubmit_is_refused(cloud: Cloud, state: tuple[int, int]) -> None:
    vm_id = cloud.running()
    cloud.oned.set_state(vm_id, *state)
    assert cloud.act("resubmit", vm_id)[2] == WRONG_STATE


@pytest.mark.parametrize("state", [PENDING, HOLD, STOPPED, SUSPENDED, FAILED, DONE, (8, 0), (42, 0)])
def test_finalize_ends_a_vm_off_its_host_at_once(cloud: Cloud, state: tuple[int, int]) -> None:
    vm_id = cloud.running()
    cloud.oned.set_state(vm_id, *state)
    assert cloud.act("finalize", vm_id) == [True, vm_id, SUCCESS]
    assert cloud.states(vm_id) == DONE


@pytest.mark.parametrize("lcm_state", [*range(17), 36])
def test_finalize_ends_an_active_vm_soon(cloud: Cloud, lcm_state: int) -> None:
    vm_id = cloud.running()
    cloud.oned.set_state(vm_id, 3, lcm_state)
    assert cloud.act("finalize", vm_id)[0]
    assert cloud.act("finalize", vm_id)[0]
    assert trace(cloud, vm_id, 1) == [CLEANUP, DONE]
    assert cloud.act("finalize", vm_id)[0]
    assert trace(cloud, vm_id, 4) == [DONE]


@pytest.mark.parametrize(
    ("quarters", "times"),
    [
        (1, {"PETIME": "3", "RSTIME": "0", "RETIME": "0"}),
        (3, {"PETIME": "6", "RSTIME": "6", "RETIME": "7"}),
        (4, {"PETIME": "6", "RSTIME": "6", "RETIME": "9"}),
    ],
)
def test_killed_vm_leaves_its_host_at_that_moment(cloud: Cloud, quarters: int, times: dict[str, str]) -> None:
    vm_id = cloud.allocate()
    cloud.clock.step(quarters * QUARTER + 1)
    cloud.act("finalize", vm_id)
    cloud.clock.step(100)
    document = cloud.info(vm_id)
    history = {name: value.removeprefix("140000000") for name, value in record(document).items()}
    assert {name: history[name] for name in times} == times
    assert history["ETIME"] == str(int(quarters * QUARTER) + 1)
    assert history["REASON"] == "3"
    end = NOW + quarters * QUARTER + 1 + QUARTER
    assert f"<ETIME>{end:.0f}</ETIME><DEPLOY_ID>" in document


@pytest.mark.parametrize(("action", "reason"), [("shutdown", "0"), ("cancel", "4")])
def test_vm_which_ends_in_order_has_an_epilog(cloud: Cloud, action: str, reason: str) -> None:
    vm_id = cloud.running()
    cloud.act(action, vm_id)
    cloud.clock.step(100)
    history = record(cloud.info(vm_id))
    assert (history["RETIME"], history["ESTIME"]) == (str(NOW + 10), str(NOW + 10))
    assert (history["EETIME"], history["ETIME"]) == (str(NOW + 12), str(NOW + 12))
    assert history["REASON"] == reason


def test_failure_keeps_everything_until_finalize(cloud: Cloud) -> None:
    template = 'NAME = web\nNIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]'
    vm_id = cloud.running(template)
    cloud.oned.fail(vm_id, "Error deploying virtual machine: no <host>")
    document = cloud.info(vm_id)
    assert cloud.states(vm_id) == FAILED
    assert (
        "<ERROR><MESSAGE><![CDATA[Error deploying virtual machine: no <host>]]></MESSAGE>"
        "<TIMESTAMP><![CDATA[Tue May 13 16:53:28 2014]]></TIMESTAMP></ERROR>"
    ) in document
    assert record(document)["REASON"] == "1"
    assert "<IP><![CDATA[198.18.0.1]]></IP>" in document
    assert f"<VID>{vm_id}</VID>" in str(cloud.call("one.vn.info", 0)[1])
    cloud.act("finalize", vm_id)
    assert cloud.states(vm_id) == DONE
    assert "<LEASES></LEASES>" in str(cloud.call("one.vn.info", 0)[1])


def test_image_which_cannot_be_had_fails_the_vm_after_the_prolog(cloud: Cloud) -> None:
    vm_id = cloud.allocate('DISK = [ SOURCE = "https://marketplace.example.org/metadata/unknown" ]')
    assert trace(cloud, vm_id, 4) == [PENDING, PROLOG, FAILED]
    document = cloud.info(vm_id)
    assert "<MESSAGE><![CDATA[Error excuting image transfer script: Failed to download: " in document
    history = record(document)
    assert (history["PETIME"], history["RSTIME"], history["ETIME"]) == (str(NOW + 6), "0", str(NOW + 6))


def test_disk_of_a_running_vm_belongs_to_its_owner(cloud: Cloud) -> None:
    cloud.user = "Jane Tester"
    vm_id = cloud.allocate(f'DISK = [ SOURCE = "{image_source(cloud)}" ]')
    assert "<UNAME>Jane+Tester</UNAME>" in cloud.info(vm_id)
    owned = []
    for _ in range(5):
        cloud.oned.advance()
        owned.append(len(cloud.location.disks.disks("Jane Tester")))
        cloud.clock.step(QUARTER)
    assert owned == [0, 0, 0, 1, 1]
    cloud.act("finalize", vm_id)
    assert len(cloud.location.disks.disks("Jane Tester")) == 1
    cloud.clock.step(QUARTER)
    cloud.oned.advance()
    assert cloud.location.disks.disks("Jane Tester") == []


def test_resubmitted_vm_gets_a_fresh_disk(cloud: Cloud) -> None:
    vm_id = cloud.running(f'DISK = [ SOURCE = "{image_source(cloud)}" ]')
    first = cloud.location.disks.disks("alice")
    cloud.act("resubmit", vm_id)
    cloud.clock.step(6 * QUARTER)
    assert cloud.states(vm_id) == RUNNING
    second = cloud.location.disks.disks("alice")
    assert len(first) == len(second) == 1
    assert first[0].uuid != second[0].uuid


def test_stopped_vm_keeps_its_disk(cloud: Cloud) -> None:
    vm_id = cloud.running(f'DISK = [ SOURCE = "{image_source(cloud)}" ]')
    disks = cloud.location.disks.disks("alice")
    cloud.act("stop", vm_id)
    cloud.clock.step(2 * QUARTER)
    cloud.act("resume", vm_id)
    cloud.clock.step(4 * QUARTER)
    assert cloud.states(vm_id) == RUNNING
    assert cloud.location.disks.disks("alice") == disks


def test_vms_change_in_the_order_of_time(cloud: Cloud) -> None:
    """The first VM has given up its disk by the time at which the second one asks for it."""
    template = f'DISK = [ SOURCE = "{image_source(cloud)}" ]'
    first = cloud.running(template)
    (disk,) = cloud.location.disks.disks("alice")
    second = cloud.allocate(f'DISK = [ SOURCE = "pdisk:pdisk.example.org/{disk.uuid}" ]')
    cloud.act("finalize", first)
    cloud.clock.step(100)
    assert cloud.states(second) == FAILED
    assert f"insufficient access rights to view disk ({disk.uuid})" in cloud.info(second)
