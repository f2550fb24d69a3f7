from __future__ import annotations

import itertools
from datetime import datetime, timezone
from xml.etree.ElementTree import Element, SubElement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client import VirtualMachine, VmState
from stratuslab.client.opennebula.vm import HistoryRecord, VmDisk, VmNic
from stratuslab.client.transport.xml_document import DocumentError, parse

FULL = """\
<VM><ID>42</ID><UID>3</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>web server</NAME>
<STATE>3</STATE><LCM_STATE>3</LCM_STATE><STIME>1400000000</STIME><ETIME>0</ETIME><DEPLOY_ID>one-42</DEPLOY_ID>
<MEMORY>2097152</MEMORY><CPU>12.5</CPU>
<TEMPLATE>
<CONTEXT><PUBLIC_KEY><![CDATA[ssh-ed25519 AAAA alice
]]></PUBLIC_KEY><MOTD><![CDATA[a < b & c]]></MOTD><NOTHING/></CONTEXT>
<CPU><![CDATA[0.5]]></CPU><VCPU><![CDATA[2]]></VCPU><MEMORY><![CDATA[4096]]></MEMORY>
<LIBCLOUD_TOKEN><![CDATA[of the template]]></LIBCLOUD_TOKEN>
<DISK><DISK_ID><![CDATA[0]]></DISK_ID><SAVE><![CDATA[YES]]></SAVE><SOURCE><![CDATA[https://images.example.org/metadata/A]]></SOURCE><TARGET><![CDATA[vda]]></TARGET></DISK>
<DISK><DISK_ID><![CDATA[1]]></DISK_ID><SIZE><![CDATA[1024]]></SIZE><TARGET><![CDATA[vdb]]></TARGET><TYPE><![CDATA[swap]]></TYPE></DISK>
<DISK><DISK_ID><![CDATA[2]]></DISK_ID><SOURCE><![CDATA[pdisk:disks.example.org:8445/1]]></SOURCE><TARGET><![CDATA[vdc]]></TARGET><TYPE><![CDATA[block]]></TYPE></DISK>
<GRAPHICS><PORT><![CDATA[ -1 ]]></PORT><TYPE><![CDATA[vnc]]></TYPE></GRAPHICS>
<INBOUND_PORTS><![CDATA[22, 443,]]></INBOUND_PORTS>
<NIC><IP><![CDATA[192.0.2.7]]></IP><MAC><![CDATA[02:00:c0:00:02:07]]></MAC><NETWORK><![CDATA[public]]></NETWORK></NIC>
<NIC><NETWORK><![CDATA[private]]></NETWORK></NIC>
<REQUIREMENTS><![CDATA[ARCH = "x86_64"]]></REQUIREMENTS>
</TEMPLATE>
<HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><HOSTNAME>host-1</HOSTNAME><STIME>1400000016</STIME><ETIME>1400000100</ETIME></HISTORY>
<HISTORY><SEQ>1</SEQ><HOSTNAME>host-2</HOSTNAME><STIME>1400000100</STIME><ETIME>0</ETIME></HISTORY></HISTORY_RECORDS>
</VM>"""


def vm_of(inner: str = "") -> VirtualMachine:
    return VirtualMachine.from_element(parse(f"<VM><ID>7</ID>{inner}</VM>"))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def test_everything_that_a_document_says() -> None:
    assert VirtualMachine.from_element(parse(FULL)) == VirtualMachine(
        id=42,
        name="web server",
        owner="alice",
        owner_id=3,
        group="users",
        state_number=3,
        lcm_state_number=3,
        created=moment(1400000000),
        ended=None,
        deploy_id="one-42",
        cpu=2,
        cpu_share=0.5,
        ram_mib=4096,
        disks=(
            VmDisk(0, "https://images.example.org/metadata/A", None, "vda", None, True),
            VmDisk(1, None, "swap", "vdb", 1024, False),
            VmDisk(2, "pdisk:disks.example.org:8445/1", "block", "vdc", None, False),
        ),
        nics=(VmNic("public", "192.0.2.7", "02:00:c0:00:02:07"), VmNic("private", None, None)),
        history=(
            HistoryRecord(0, "host-1", moment(1400000016), moment(1400000100)),
            HistoryRecord(1, "host-2", moment(1400000100), None),
        ),
        context={"PUBLIC_KEY": "ssh-ed25519 AAAA alice\n", "MOTD": "a < b & c", "NOTHING": ""},
        requirements='ARCH = "x86_64"',
        inbound_ports=("22", "443"),
        graphics={"PORT": "-1", "TYPE": "vnc"},
        error=None,
        waiting=None,
        token="of the template",
        metadata={},
        used_ram_kib=2097152,
        used_cpu_percent=12.5,
    )


def test_what_follows_from_a_document() -> None:
    vm = VirtualMachine.from_element(parse(FULL))
    assert vm.state is VmState.RUNNING
    assert vm.state_label == "RUNNING"
    assert vm.host == "host-2"
    assert vm.swap_mib == 1024
    assert vm.root_disk == vm.disks[0]


@pytest.mark.parametrize(
    "inner",
    ["", "<TEMPLATE/><HISTORY_RECORDS/><USER_TEMPLATE/>", "<NAME/><UNAME/><STATE/><LCM_STATE/><STIME/>"],
    ids=["missing", "empty-parts", "empty-texts"],
)
def test_all_but_the_id_may_be_missing(inner: str) -> None:
    vm = vm_of(inner)
    assert vm == VirtualMachine(
        id=7,
        name="one-7",
        owner=None,
        owner_id=None,
        group=None,
        state_number=-1,
        lcm_state_number=-1,
        created=None,
        ended=None,
        deploy_id=None,
        cpu=1,
        cpu_share=None,
        ram_mib=0,
        disks=(),
        nics=(),
        history=(),
        context={},
        requirements=None,
        inbound_ports=(),
        graphics={},
        error=None,
        waiting=None,
        token=None,
        metadata={},
        used_ram_kib=None,
        used_cpu_percent=None,
    )
    assert vm.state is VmState.UNKNOWN
    assert vm.host is None
    assert vm.swap_mib == 0
    assert vm.root_disk is None


@pytest.mark.parametrize("content", ["", "<ID/>", "<ID>seven</ID>", "<ID>7.0</ID>", f"<ID>{'9' * 5000}</ID>"])
def test_without_a_numeric_id_there_is_no_vm(content: str) -> None:
    with pytest.raises(DocumentError, match="a <VM> has no numeric <ID>"):
        VirtualMachine.from_element(parse(f"<VM>{content}</VM>"))


def test_a_vm_that_was_just_accepted_is_pending() -> None:
    vm = VirtualMachine.accepted(42, "mine")
    assert (vm.id, vm.name, vm.host, vm.disks) == (42, "mine", None, ())
    assert (vm.state, vm.state_number, vm.lcm_state_number) == (VmState.PENDING, 1, 0)
    assert VirtualMachine.accepted(42, None).name == "one-42"


@pytest.mark.parametrize(
    "order", list(itertools.permutations([0, 1, 10])), ids=lambda order: "-".join(map(str, order))
)
def test_the_host_is_the_one_of_the_highest_sequence_number(order: tuple[int, int, int]) -> None:
    records = "".join(f"<HISTORY><SEQ>{n}</SEQ><HOSTNAME>host-{n}</HOSTNAME></HISTORY>" for n in order)
    vm = vm_of(f"<HISTORY_RECORDS>{records}</HISTORY_RECORDS>")
    assert vm.host == "host-10"
    assert [record.sequence for record in vm.history] == [0, 1, 10]


def test_history_records_without_sequence_numbers_are_in_order() -> None:
    records = "".join(f"<HISTORY><HOSTNAME>{name}</HOSTNAME></HISTORY>" for name in ("b", "a"))
    assert vm_of(f"<HISTORY_RECORDS>{records}</HISTORY_RECORDS>").host == "a"


def test_a_history_record_without_host() -> None:
    vm = vm_of("<HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><HOSTNAME/></HISTORY></HISTORY_RECORDS>")
    assert vm.host is None


def test_the_words_of_opennebula_2_2() -> None:
    vm = vm_of(
        "<USERNAME>alice</USERNAME>"
        "<HISTORY><SEQ>3</SEQ><HOSTNAME>host-1</HOSTNAME><STIME>1400000000</STIME></HISTORY>"
    )
    assert vm.owner == "alice"
    assert vm.history == (HistoryRecord(3, "host-1", moment(1400000000), None),)


def test_the_words_of_opennebula_4_and_later() -> None:
    vm = vm_of(
        "<MEMORY>0</MEMORY><CPU>0</CPU><MONITORING><MEMORY>2048</MEMORY><CPU>3.25</CPU></MONITORING>"
        "<TEMPLATE><NAME>of the template</NAME></TEMPLATE>"
        "<USER_TEMPLATE><ERROR>Thu : it broke</ERROR><SCHED_MESSAGE>no host</SCHED_MESSAGE>"
        "<SCHED_REQUIREMENTS>ID = 1</SCHED_REQUIREMENTS><INBOUND_PORTS>22</INBOUND_PORTS>"
        "<LIBCLOUD_TOKEN>of the user</LIBCLOUD_TOKEN></USER_TEMPLATE>"
    )
    assert vm.name == "of the template"
    assert vm.error == "Thu : it broke"
    assert vm.waiting == "no host"
    assert vm.requirements == "ID = 1"
    assert vm.inbound_ports == ("22",)
    assert vm.token == "of the user"
    assert vm.used_ram_kib == 2048
    assert vm.used_cpu_percent == 3.25


def test_a_failed_vm_says_why() -> None:
    vm = vm_of(
        "<STATE>7</STATE><LCM_STATE>0</LCM_STATE>"
        "<TEMPLATE><ERROR><MESSAGE><![CDATA[ no such image ]]></MESSAGE></ERROR></TEMPLATE>"
    )
    assert vm.state is VmState.ERROR
    assert vm.state_label == "FAILED"
    assert vm.error == "no such image"


@pytest.mark.parametrize(
    ("uname", "owner"),
    [
        ("alice", "alice"),
        ("CN%3DJane+Doe%2COU%3DLAL%2CO%3DCNRS%2CC%3DFR", "CN=Jane Doe,OU=LAL,O=CNRS,C=FR"),
        ("%C3%A9ve", "éve"),
        ("100%", "100%"),
        ("  ", None),
    ],
)
def test_the_owner_s_name_is_as_the_user_wrote_it(uname: str, owner: str | None) -> None:
    assert vm_of(f"<UNAME>{uname}</UNAME>").owner == owner


@pytest.mark.parametrize(
    ("template", "cpu", "share"),
    [
        ("<VCPU>4</VCPU><CPU>0.5</CPU>", 4, 0.5),
        ("<CPU>2</CPU>", 2, 2.0),
        ("<CPU>1.5</CPU>", 2, 1.5),
        ("<CPU>0.1</CPU>", 1, 0.1),
        ("<CPU>0</CPU>", 1, 0.0),
        ("<CPU>-3</CPU>", 1, -3.0),
        ("<VCPU>0</VCPU>", 1, None),
        ("<VCPU>two</VCPU><CPU>many</CPU>", 1, None),
        ("<CPU>inf</CPU>", 1, None),
        ("<CPU>nan</CPU>", 1, None),
    ],
)
def test_cpus_of_the_guest_and_share_of_the_host(template: str, cpu: int, share: float | None) -> None:
    vm = vm_of(f"<TEMPLATE>{template}</TEMPLATE>")
    assert (vm.cpu, vm.cpu_share) == (cpu, share)


@pytest.mark.parametrize(
    ("disks", "root", "swap"),
    [
        ("<DISK><DISK_ID>0</DISK_ID><SOURCE>a</SOURCE></DISK>", "a", 0),
        ("<DISK><DISK_ID>0</DISK_ID></DISK>", None, 0),
        ("<DISK><DISK_ID>1</DISK_ID><SOURCE>a</SOURCE></DISK>", None, 0),
        (
            "<DISK><DISK_ID>1</DISK_ID><TYPE>swap</TYPE><SIZE>512</SIZE></DISK>"
            "<DISK><DISK_ID>0</DISK_ID><SOURCE>a</SOURCE></DISK>",
            "a",
            512,
        ),
        ("<DISK><TYPE>swap</TYPE></DISK>", None, 0),
        ("<DISK><TYPE>fs</TYPE><SIZE>512</SIZE></DISK>", None, 0),
    ],
    ids=["root", "no-source", "no-root", "swap-first", "swap-of-no-size", "volatile"],
)
def test_root_disk_and_swap(disks: str, root: str | None, swap: int) -> None:
    vm = vm_of(f"<TEMPLATE>{disks}</TEMPLATE>")
    assert (vm.root_disk and vm.root_disk.source) == root
    assert vm.swap_mib == swap


@pytest.mark.parametrize("number", ["9" * 30, "-1", "0", "", "soon", "9" * 5000])
def test_a_time_that_is_none(number: str) -> None:
    vm = vm_of(f"<STIME>{number}</STIME><ETIME>{number}</ETIME>")
    assert vm.created is None
    assert vm.ended is None


@pytest.mark.parametrize("number", [10**30, 99, -5])
def test_an_unknown_state_is_kept_as_its_number(number: int) -> None:
    vm = vm_of(f"<STATE>{number}</STATE><LCM_STATE>{number}</LCM_STATE>")
    assert (vm.state_number, vm.lcm_state_number) == (number, number)
    assert vm.state is VmState.UNKNOWN
    assert vm.state_label == f"STATE {number}"


def test_a_failed_lcm_state_is_an_error() -> None:
    vm = vm_of("<STATE>3</STATE><LCM_STATE>36</LCM_STATE>")
    assert (vm.state, vm.state_label) == (VmState.ERROR, "BOOT_FAILURE")


LATER_TAGS = ["USER_TEMPLATE", "MONITORING", "USERNAME", "ERROR", "MESSAGE", "SCHED_MESSAGE"]
TAGS = sorted({item.tag for item in parse(FULL).iter()}) + LATER_TAGS
TEXTS = st.one_of(
    st.none(),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["swap", "yes", "1e999", "٣", "1_000", "%", "%zz", "+", "9" * 5000, "-0", "0x10"]),
    st.text(),
)


def element(tag: str, text: str | None, children: list[Element]) -> Element:
    made = Element(tag)
    made.text = text
    made.extend(children)
    return made


ELEMENTS = st.recursive(
    st.builds(element, st.sampled_from(TAGS), TEXTS, st.just([])),
    lambda inner: st.builds(element, st.sampled_from(TAGS), TEXTS, st.lists(inner, max_size=6)),
    max_leaves=25,
)


@pytest.mark.slow
@given(st.lists(ELEMENTS, max_size=10), st.one_of(st.just("7"), TEXTS))
def test_no_document_whatever_breaks_more_than_itself(children: list[Element], vm_id: str) -> None:
    vm = Element("VM")
    SubElement(vm, "ID").text = vm_id
    vm.extend(children)
    assert_read_or_refused(vm)


@given(st.dictionaries(st.integers(0, len(list(parse(FULL).iter())) - 1), TEXTS, max_size=20))
def test_no_text_whatever_breaks_more_than_itself(texts: dict[int, str]) -> None:
    vm = parse(FULL)
    items = list(vm.iter())
    for position, text in texts.items():
        items[position].text = text
    assert_read_or_refused(vm)


def assert_read_or_refused(vm: Element) -> None:
    try:
        found = VirtualMachine.from_element(vm)
    except DocumentError:
        return
    assert isinstance(found.id, int)
    assert isinstance(found.state, VmState)
    assert isinstance(found.state_label, str)
    assert found.cpu is not None
    assert found.host is None or found.host.strip()
    assert found.swap_mib is not None
    assert found.root_disk is None or found.root_disk in found.disks
    assert repr(found)
