from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sandbox.opennebula.conftest import Cloud

TEMPLATE = 'NAME = "web server"\nCPU = 0.5\nMEMORY = 64\n'
HEAD = (
    "<VM><ID>0</ID><UID>2</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>web server</NAME>"
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS>"
)
SHOWN_TEMPLATE = (
    "<TEMPLATE><CPU><![CDATA[0.5]]></CPU><MEMORY><![CDATA[64]]></MEMORY>"
    "<NAME><![CDATA[web server]]></NAME><VMID><![CDATA[0]]></VMID></TEMPLATE>"
)
PENDING = (
    f"{HEAD}<LAST_POLL>0</LAST_POLL><STATE>1</STATE><LCM_STATE>0</LCM_STATE><STIME>1400000000</STIME>"
    "<ETIME>0</ETIME><DEPLOY_ID></DEPLOY_ID><MEMORY>0</MEMORY><CPU>0</CPU><NET_TX>0</NET_TX><NET_RX>0</NET_RX>"
    f"{SHOWN_TEMPLATE}<HISTORY_RECORDS/></VM>"
)
DONE = (
    f"{HEAD}<LAST_POLL>1400000008</LAST_POLL><STATE>6</STATE><LCM_STATE>0</LCM_STATE><STIME>1400000000</STIME>"
    "<ETIME>1400000010</ETIME><DEPLOY_ID>one-0</DEPLOY_ID><MEMORY>65536</MEMORY><CPU>0</CPU>"
    f"<NET_TX>0</NET_TX><NET_RX>0</NET_RX>{SHOWN_TEMPLATE}"
    "<HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><HOSTNAME>node-1.paris.example.org</HOSTNAME>"
    "<VM_DIR>/var/lib/one/</VM_DIR><HID>0</HID><STIME>1400000002</STIME><ETIME>1400000008</ETIME>"
    "<VMMMAD>vmm_kvm</VMMMAD><VNMMAD>dummy</VNMMAD><TMMAD>tm_stratuslab</TMMAD>"
    "<PSTIME>1400000002</PSTIME><PETIME>1400000006</PETIME><RSTIME>1400000006</RSTIME>"
    "<RETIME>1400000008</RETIME><ESTIME>0</ESTIME><EETIME>0</EETIME><REASON>3</REASON></HISTORY>"
    "</HISTORY_RECORDS></VM>"
)
ODD = (
    "<VM>\n  <ID>41</ID><NAME>odd & unescaped</NAME>\n  <STATE> 8 </STATE><LCM_STATE>99</LCM_STATE>"
    "<TEMPLATE><STATE>13</STATE></TEMPLATE></VM>"
)


def test_waiting_vm_byte_for_byte(cloud: Cloud) -> None:
    assert cloud.info(cloud.allocate(TEMPLATE)) == PENDING


def test_vm_with_a_history_byte_for_byte(cloud: Cloud) -> None:
    vm_id = cloud.running(TEMPLATE)
    cloud.act("finalize", vm_id)
    cloud.clock.step(2)
    assert cloud.info(vm_id) == DONE


def test_pool_has_the_last_history_record_only(cloud: Cloud) -> None:
    cloud.allocate(TEMPLATE)
    vm_id = cloud.running(TEMPLATE)
    cloud.act("suspend", vm_id)
    cloud.clock.step(2)
    cloud.act("resume", vm_id)
    cloud.clock.step(2)
    whole = cloud.info(vm_id)
    first, second = whole.find("<HISTORY>"), whole.rfind("<HISTORY>")
    assert 0 < first < second
    entry = whole[:first] + whole[second:]
    _, pool, _ = cloud.call("one.vmpool.info", -3, -1, -1, -1)
    assert pool == f"<VM_POOL>{cloud.info(0)}{entry}</VM_POOL>"


def test_inserted_vm_is_shown_word_for_word_to_everybody(cloud: Cloud) -> None:
    assert cloud.oned.insert(ODD) == 41
    assert cloud.info(41) == ODD
    for selection in ([-3, -1, -1, -1], [-2, 41, 41, -1], [-1, -1, -1, -2], [77, -1, -1, -1]):
        assert cloud.call("one.vmpool.info", *selection) == [True, f"<VM_POOL>{ODD}</VM_POOL>", 0]
    assert cloud.call("one.vmpool.info", -3, 42, 42, -1) == [True, "<VM_POOL></VM_POOL>", 0]
    assert cloud.allocate() == 42


def test_inserted_vm_can_be_finalized(cloud: Cloud) -> None:
    vm_id = cloud.oned.insert(ODD)
    assert cloud.act("reboot", vm_id)[2] == 2048
    assert cloud.act("finalize", vm_id) == [True, 41, 0]
    assert cloud.info(vm_id) == ODD.replace("<STATE> 8 ", "<STATE> 6 ").replace(">99<", ">0<")
    assert cloud.pool() == []


@pytest.mark.parametrize("document", ["<VM><ID>1</ID></VM>", "<VM><ID>1</ID><STATE>3</STATE></VM>"])
def test_inserted_vm_without_a_state_counts_as_active(cloud: Cloud, document: str) -> None:
    cloud.oned.insert(document)
    assert cloud.pool(-3, -1, -1, 3) == [1]
    assert cloud.info(1) == document


def test_inserted_vm_takes_the_place_of_another_one(cloud: Cloud) -> None:
    vm_id = cloud.allocate(TEMPLATE)
    cloud.oned.insert(cloud.oned.document(vm_id).replace("<STATE>1<", "<STATE>9<"))
    assert cloud.info(vm_id) == PENDING.replace("<STATE>1<", "<STATE>9<")


def test_a_document_needs_an_id(cloud: Cloud) -> None:
    with pytest.raises(ValueError, match="has an ID"):
        cloud.oned.insert("<VM><NAME>x</NAME></VM>")


def test_unknown_vm(cloud: Cloud) -> None:
    for attempt in (
        lambda: cloud.oned.document(5),
        lambda: cloud.oned.set_state(5, 3),
        lambda: cloud.oned.fail(5, "x"),
    ):
        with pytest.raises(KeyError):
            attempt()
