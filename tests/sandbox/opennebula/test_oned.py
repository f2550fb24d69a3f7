from __future__ import annotations

import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from tests.sandbox.opennebula.conftest import TEMPLATE

if TYPE_CHECKING:
    from tests.sandbox.opennebula.conftest import Cloud

PUBLIC = 'NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]\n'
ALLOCATION_FAILED = "[VirtualMachineAllocate] Error allocating a new virtual machine. "


def refusal(cloud: Cloud, template: str) -> object:
    ok, text, code = cloud.call("one.vm.allocate", template)
    assert (ok, code) == (False, 8192)
    return text


@pytest.mark.parametrize(
    ("method", "arguments", "code", "text"),
    [
        ("one.vm.nosuch", [1], -506, "Method 'one.vm.nosuch' not defined"),
        ("one.vm.attach", [1, ""], -506, "Method 'one.vm.attach' not defined"),
        ("one.vm.allocate", [], -501, "Not enough parameters"),
        ("one.vm.allocate", [7], -501, "Parameter that is supposed to be a string is not"),
        ("one.vm.info", [], -501, "Not enough parameters"),
        ("one.vm.info", ["0"], -501, "Parameter that is supposed to be integer is not"),
        ("one.vm.info", [True], -501, "Parameter that is supposed to be integer is not"),
        ("one.vm.action", ["finalize"], -501, "Not enough parameters"),
        ("one.vm.action", [0, "finalize"], -501, "Parameter that is supposed to be a string is not"),
        ("one.vmpool.info", [-3], -501, "Not enough parameters"),
        ("one.vmpool.info", [-3, -1, -1], -501, "Not enough parameters"),
        ("one.vnpool.info", [-2], -501, "Not enough parameters"),
    ],
)
def test_wrong_call_is_a_fault(
    cloud: Cloud, method: str, arguments: list[object], code: int, text: str
) -> None:
    with pytest.raises(XmlRpcError) as caught:
        cloud.call(method, *arguments)
    assert (caught.value.code, str(caught.value)) == (code, text)


def test_further_arguments_are_ignored(cloud: Cloud) -> None:
    assert cloud.call("one.vm.allocate", "CPU = 1", True) == [True, 0, 0]
    assert cloud.call("one.vm.info", 0, False, 1, "x")[0] is True
    assert cloud.call("one.vmpool.info", -3, -1, -1, -1, "NAME=web")[0] is True
    assert cloud.call("one.hostpool.info", "x")[0] is True


def test_without_a_user_nothing_is_done(cloud: Cloud) -> None:
    text = "[VirtualMachinePoolInfo] User couldn't be authenticated, aborting call."
    assert cloud.oned.call("one.vmpool.info", [-3, -1, -1, -1], None) == [False, text, 256]


def test_new_user_has_an_empty_pool_and_the_next_uid(cloud: Cloud) -> None:
    assert cloud.call("one.vmpool.info", -3, -1, -1, -1, user="bob") == [True, "<VM_POOL></VM_POOL>", 0]
    first, second, third = (cloud.allocate(user=user) for user in ("alice", "bob", "alice"))
    assert [first, second, third] == [0, 1, 2]
    documents = [cloud.oned.document(vm_id) for vm_id in (0, 1, 2)]
    assert ["<UID>3</UID>" in documents[0], "<UID>2</UID>" in documents[1]] == [True, True]
    assert "<UNAME>alice</UNAME><GNAME>users</GNAME>" in documents[2]


@pytest.mark.parametrize(
    ("login", "uname"),
    [("CN=John Doe,O=Org", "CN%3DJohn+Doe%2CO%3DOrg"), ("a~b*c.d-e_f", "a%7Eb*c.d-e_f"), ("é", "%C3%A9")],
)
def test_user_names_are_encoded_as_in_a_url(cloud: Cloud, login: str, uname: str) -> None:
    cloud.user = login
    assert f"<UNAME>{uname}</UNAME>" in cloud.info(cloud.allocate())


@pytest.mark.parametrize(
    ("method", "arguments", "answer"),
    [
        (
            "one.vm.info",
            [99999],
            [False, "[VirtualMachineInfo] Error getting virtual machine [99999].", 1024],
        ),
        (
            "one.vm.action",
            ["hold", 99999],
            [False, "[VirtualMachineAction] Error getting virtual machine [99999].", 1024],
        ),
        (
            "one.vm.info",
            [-1],
            [False, "[VirtualMachineInfo] User [2] : Not authorized to perform USE VM.", 512],
        ),
        ("one.image.info", [0], [False, "[ImageInfo] Error getting image [0].", 1024]),
        ("one.vn.info", [9], [False, "[VirtualNetworkInfo] Error getting virtual network [9].", 1024]),
        ("one.host.info", [0], [False, "[HostInfo] User [2] : Not authorized to perform USE HOST [0].", 512]),
        (
            "one.vmpool.info",
            [-4, -1, -1, -1],
            [False, "[VirtualMachinePoolInfo] Incorrect filter_flag", 4096],
        ),
        (
            "one.vmpool.info",
            [-3, -1, -1, 8],
            [False, "[VirtualMachinePoolInfo] Incorrect filter_flag, state", 4096],
        ),
    ],
)
def test_refused_request(cloud: Cloud, method: str, arguments: list[object], answer: list[object]) -> None:
    assert cloud.call(method, *arguments) == answer


def test_vm_of_another_user(cloud: Cloud) -> None:
    theirs = cloud.allocate(user="bob")
    what = f"User [3] : Not authorized to perform {{}} VM [{theirs}]."
    assert cloud.call("one.vm.info", theirs) == [False, "[VirtualMachineInfo] " + what.format("USE"), 512]
    refused = [False, "[VirtualMachineAction] " + what.format("MANAGE"), 512]
    assert cloud.act("finalize", theirs) == refused
    assert cloud.act("nosuch", theirs) == refused
    assert cloud.act("finalize", theirs, user="oneadmin") == [True, theirs, 0]


def test_filters_of_the_pool(cloud: Cloud) -> None:
    mine, theirs = cloud.allocate(), cloud.allocate(user="bob")
    for flag in (-3, -2, -1, 2):
        assert cloud.pool(flag, -1, -1, -1) == [mine]
    assert cloud.pool(3, -1, -1, -1) == cloud.pool(0, -1, -1, -1) == []
    assert cloud.pool(-2, -1, -1, -1, user="oneadmin") == [mine, theirs]
    assert cloud.pool(3, -1, -1, -1, user="oneadmin") == [theirs]
    assert cloud.pool(-3, -1, -1, -1, user="oneadmin") == []


def test_permissions_of_a_vm(cloud: Cloud) -> None:
    vm_id = cloud.allocate(user="alice")
    assert cloud.call("one.vm.chmod", vm_id, *[1] * 9, user="bob")[2] == 512

    group_may_use = [-1, -1, -1, 1, -1, -1, -1, -1, -1]
    assert cloud.call("one.vm.chmod", vm_id, *group_may_use, user="alice") == [True, vm_id, 0]
    assert "<OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>1</GROUP_U>" in cloud.info(vm_id)
    assert [cloud.pool(scope, -1, -1, -1, user="bob") for scope in (-3, -1, -2)] == [[], [vm_id], [vm_id]]
    assert cloud.call("one.vm.info", vm_id, user="bob")[0]
    assert cloud.act("finalize", vm_id, user="bob")[2] == 512

    assert cloud.call("one.vm.chmod", vm_id, -1, -1, -1, 0, *[-1] * 5, user="alice")[0]
    assert cloud.pool(-1, -1, -1, -1, user="bob") == []


@pytest.mark.parametrize(
    ("start", "end", "ids"),
    [
        (-1, -1, [0, 1, 2, 3, 4]),
        (1, 3, [1, 2, 3]),
        (2, -1, [2, 3, 4]),
        (-1, 2, [0, 1, 2, 3, 4]),
        (0, -3, []),
        (3, 3, [3]),
        (7, 9, []),
    ],
)
def test_range_of_the_pool(cloud: Cloud, start: int, end: int, ids: list[int]) -> None:
    for _ in range(5):
        cloud.allocate()
    assert cloud.pool(-3, start, end, -1) == ids


def test_states_of_the_pool(cloud: Cloud) -> None:
    vm_ids = [cloud.allocate() for _ in range(8)]
    for state, vm_id in enumerate(vm_ids):
        cloud.oned.set_state(vm_id, state)
    assert cloud.pool(-3, -1, -1, -1) == [0, 1, 2, 3, 4, 5, 7]
    assert cloud.pool(-3, -1, -1, -2) == vm_ids
    for state, vm_id in enumerate(vm_ids):
        assert cloud.pool(-3, -1, -1, state) == [vm_id]


def test_a_done_vm_can_still_be_looked_at(cloud: Cloud) -> None:
    vm_id = cloud.allocate()
    cloud.act("finalize", vm_id)
    assert cloud.pool() == []
    assert "<STATE>6</STATE>" in cloud.info(vm_id)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("A b", "Parse error: syntax error, unexpected VARIABLE, expecting EQUAL or EQUAL_EMPTY"),
        ('NIC = [ NETWORK = "public" ]', "Could not get virtual network for VM."),
        ('NIC = [ NETWORK = "nosuch", NETWORK_UNAME = "oneadmin" ]', "Could not get virtual network for VM."),
        (PUBLIC.replace("]", ', IP = "9.9.9.9" ]'), "Could not get virtual network for VM."),
        ("DISK = [ IMAGE_ID = 999 ]", "Could not get disk image for VM."),
        ('DISK = [ IMAGE = "ttylinux", IMAGE_UNAME = "oneadmin" ]', "Could not get disk image for VM."),
        ("CONTEXT = [ A = 1 ]\nCONTEXT = [ A = 2 ]", "Only one CONTEXT attribute can be defined."),
        ("CONTEXT = a", "Wrong format for CONTEXT attribute."),
        ("REQUIREMENTS = a\nREQUIREMENTS = b", "Only one REQUIREMENTS attribute can be defined."),
        ("REQUIREMENTS = [ A = 1 ]", "Wrong format for REQUIREMENTS attribute."),
        (f"NAME = {'n' * 129}", "NAME is too long; max length is 128 chars."),
        (f"NAME = {'é' * 65}", "NAME is too long; max length is 128 chars."),
        ('NAME = "a < b"', "Error transforming the VM to XML."),
        ('NAME = "a & b"', "Error transforming the VM to XML."),
        ('DESCRIPTION = "a ]]> b"', "Error transforming the VM to XML."),
        ("2CPU = 1", "Error transforming the VM to XML."),
    ],
)
def test_template_of_which_no_vm_can_be_made(cloud: Cloud, template: str, reason: str) -> None:
    text = refusal(cloud, template)
    assert isinstance(text, str)
    assert text.startswith(ALLOCATION_FAILED + reason)


def test_a_refused_template_uses_up_nothing(cloud: Cloud) -> None:
    refusal(cloud, PUBLIC + 'NAME = "a < b"')
    refusal(cloud, PUBLIC + PUBLIC.replace("public", "nosuch"))
    assert "<TOTAL_LEASES>0</TOTAL_LEASES>" in str(cloud.call("one.vn.info", 0)[1])
    assert cloud.allocate() == 0


@pytest.mark.parametrize(
    "name", ["n" * 128, "é" * 64, "a > b; 'c'", "été-日本-Ω", "<b>&amp;</b>", "CN%3Dx+y"]
)
def test_name_goes_into_the_document_as_it_is(cloud: Cloud, name: str) -> None:
    document = cloud.info(cloud.allocate(f'NAME = "{name}"'))
    assert f"</GNAME><NAME>{name}</NAME><PERMISSIONS>" in document
    assert f"<NAME><![CDATA[{name}]]></NAME>" in document


@pytest.mark.parametrize("template", ["", "NAME =\n", "NAME = [ A = 1 ]"])
def test_vm_without_a_name_is_named_after_its_id(cloud: Cloud, template: str) -> None:
    cloud.allocate()
    document = cloud.info(cloud.allocate(template))
    assert "<NAME>one-1</NAME>" in document
    assert "<NAME><![CDATA[one-1]]></NAME><VMID><![CDATA[1]]></VMID></TEMPLATE>" in document


def test_restricted_attribute(cloud: Cloud) -> None:
    template = PUBLIC.replace("]", ", VLAN_ID = 7 ]")
    text = "[VirtualMachineAllocate] User [2] : VM Template includes a restricted attribute NIC/VLAN_ID."
    assert cloud.call("one.vm.allocate", template) == [False, text, 512]
    assert cloud.call("one.vm.allocate", template, user="oneadmin")[0] is True


def test_what_is_added_to_the_template(cloud: Cloud) -> None:
    template = (
        'DISK = [ SOURCE = "http://x/y", TARGET = vda ]\nDISK = [ TYPE = swap, SIZE = 16 ]\n'
        "DISK = [ TYPE = fs, SIZE = 10, FORMAT = ext3 ]\n" + PUBLIC + PUBLIC.replace("public", "private") + ""
        "CONTEXT = [ A = b ]\nGRAPHICS = [ TYPE = vnc ]\nGRAPHICS = [ TYPE = sdl ]\nVMID = 77\n"
    )
    document = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", cloud.info(cloud.allocate(template)))
    found = re.search("<TEMPLATE>.*</TEMPLATE>", document)
    assert found
    assert found[0] == (
        "<TEMPLATE><CONTEXT><A>b</A><TARGET>hdb</TARGET></CONTEXT>"
        "<DISK><DISK_ID>0</DISK_ID><SOURCE>http://x/y</SOURCE><TARGET>vda</TARGET></DISK>"
        "<DISK><DISK_ID>1</DISK_ID><SIZE>16</SIZE><TARGET>hdd</TARGET><TYPE>swap</TYPE></DISK>"
        "<DISK><DISK_ID>2</DISK_ID><FORMAT>ext3</FORMAT><SIZE>10</SIZE><TYPE>fs</TYPE></DISK>"
        "<GRAPHICS><PORT>5900</PORT><TYPE>vnc</TYPE></GRAPHICS><GRAPHICS><TYPE>sdl</TYPE></GRAPHICS>"
        "<NAME>one-0</NAME>"
        "<NIC><BRIDGE>br0</BRIDGE><IP>198.18.0.1</IP><MAC>02:00:c6:12:00:01</MAC><NETWORK>public</NETWORK>"
        "<NETWORK_ID>0</NETWORK_ID><NETWORK_UNAME>oneadmin</NETWORK_UNAME><VLAN>NO</VLAN></NIC>"
        "<NIC><BRIDGE>br2</BRIDGE><IP>172.16.0.1</IP><MAC>02:00:ac:10:00:01</MAC><NETWORK>private</NETWORK>"
        "<NETWORK_ID>2</NETWORK_ID><NETWORK_UNAME>oneadmin</NETWORK_UNAME><VLAN>NO</VLAN></NIC>"
        "<VMID>0</VMID></TEMPLATE>"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$NAME", "web"),
        ("it is $name.", "it is web."),
        ("10.0.0.$VMID/$MEMORY", "10.0.0.0/512"),
        ("$NIC[IP]", "198.18.0.1"),
        ("$nic[ip]!", "198.18.0.1!"),
        ('$NIC[IP, NETWORK=\\"private\\"]', "172.16.0.1"),
        ('$NIC[IP, NETWORK = \\"none\\"]-', "-"),
        ("$UID, $NOTHING, $DISK[SOURCE]", "2, , "),
        ("no variable", "no variable"),
    ],
)
def test_variables_in_a_context_are_replaced(cloud: Cloud, text: str, value: str) -> None:
    nics = PUBLIC + PUBLIC.replace("public", "private")
    template = f'{TEMPLATE}{nics}CONTEXT = [ A = "{text}" ]\nREQUIREMENTS = "{text}"\nB = "{text}"\n'
    document = cloud.info(cloud.allocate(template))
    assert f"<CONTEXT><A><![CDATA[{value}]]></A>" in document
    assert f"<REQUIREMENTS><![CDATA[{value}]]></REQUIREMENTS>" in document
    plain = text.replace("\\", "")
    assert f"<B><![CDATA[{plain}]]></B>" in document


def test_the_whole_template_is_a_variable(cloud: Cloud) -> None:
    document = cloud.info(cloud.allocate(f"{TEMPLATE}CONTEXT = [ A = $TEMPLATE ]"))
    found = re.search(r"<A><!\[CDATA\[(.*?)\]\]></A>", document)
    assert found
    assert b64decode(found[1]).startswith(b"<TEMPLATE><CONTEXT><A><![CDATA[$TEMPLATE]]></A>")


@pytest.mark.parametrize("text", ["$", "a $ b", "$-"])
def test_a_dollar_sign_without_a_variable(cloud: Cloud, text: str) -> None:
    answer = cloud.call("one.vm.allocate", f'{PUBLIC}CONTEXT = [ A = "{text}" ]')
    assert answer[::2] == [False, 8192]
    assert f"Error parsing: {text}. syntax error" in str(answer[1])
    assert "<TOTAL_LEASES>0</TOTAL_LEASES>" in str(cloud.call("one.vn.info", 0)[1])


def test_hosts_are_shown_to_oneadmin_only(cloud: Cloud) -> None:
    cloud.running()
    assert cloud.call("one.hostpool.info") == [True, "<HOST_POOL></HOST_POOL>", 0]
    pool = str(cloud.call("one.hostpool.info", user="oneadmin")[1])
    assert re.findall(r"<NAME>([^<]*)</NAME>", pool) == [f"node-{n}.paris.example.org" for n in (1, 2, 3)]
    assert re.findall(r"<RUNNING_VMS>(\d)</RUNNING_VMS>", pool) == ["1", "0", "0"]
    assert f"<HOST_POOL>{cloud.call('one.host.info', 0, user='oneadmin')[1]}<HOST>" in pool
    missing = "[HostInfo] Error getting host [3]."
    assert cloud.call("one.host.info", 3, user="oneadmin") == [False, missing, 1024]


def test_networks_are_shown_to_everybody(cloud: Cloud) -> None:
    vm_id = cloud.allocate(PUBLIC)
    pool = str(cloud.call("one.vnpool.info", -2, -1, -1)[1])
    assert re.findall(r"<NAME>(\w+)</NAME>", pool) == ["public", "local", "private"]
    assert cloud.call("one.vnpool.info", -3, -1, -1) == [True, "<VNET_POOL></VNET_POOL>", 0]
    assert str(cloud.call("one.vnpool.info", -2, 1, 1)[1]).count("<VNET>") == 1
    assert str(cloud.call("one.vn.info", 0)[1]).endswith(
        "<TOTAL_LEASES>1</TOTAL_LEASES><TEMPLATE></TEMPLATE><LEASES><LEASE><IP>198.18.0.1</IP>"
        f"<MAC>02:00:c6:12:00:01</MAC><USED>1</USED><VID>{vm_id}</VID></LEASE></LEASES></VNET>"
    )


def test_there_are_no_images_in_opennebula(cloud: Cloud) -> None:
    assert cloud.call("one.imagepool.info", -2, -1, -1) == [True, "<IMAGE_POOL></IMAGE_POOL>", 0]


def test_concurrent_allocations_share_nothing(cloud: Cloud) -> None:
    with ThreadPoolExecutor(8) as executor:
        vm_ids = [*executor.map(lambda _: cloud.allocate(PUBLIC), range(100))]
    assert sorted(vm_ids) == [*range(100)]
    pool = str(cloud.call("one.vmpool.info", -3, -1, -1, -1)[1])
    assert len(set(re.findall(r"<IP>.*?</IP>", pool))) == 100
