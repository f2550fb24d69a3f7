"""What OpenNebula's other clients ask for: hosts, networks, images, users, groups and rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.opennebula.requests.methods import METHODS, request_name

if TYPE_CHECKING:
    from tests.sandbox.opennebula.conftest import Cloud

IMAGE = 'NAME = tty\nPATH = "/srv/img.raw"\nPUBLIC = YES\nDESCRIPTION = small\n'
BLOCK = 'NAME = "blk"\nTYPE = "DATABLOCK"\nSIZE = 10\nFSTYPE = "ext3"\nPERSISTENT = "YES"\n'
RANGED = 'NAME = lab\nTYPE = RANGED\nBRIDGE = br7\nNETWORK_ADDRESS = "192.168.7.0"\nNETWORK_SIZE = C\n'


def asked(cloud: Cloud, method: str, *arguments: object, user: str = "oneadmin") -> str:
    ok, value, code = cloud.call(method, *arguments, user=user)
    assert (ok, code) == (True, 0), value
    return re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", str(value))


def refused(cloud: Cloud, method: str, *arguments: object, user: str = "oneadmin") -> tuple[str, int]:
    ok, text, code = cloud.call(method, *arguments, user=user)
    assert ok is False
    assert isinstance(code, int)
    return str(text).removeprefix(f"[{request_name(method)}] "), code


def test_hosts_come_and_go(cloud: Cloud) -> None:
    new = ("host-sl", "im_dummy", "vmm_dummy", "dummy", "tm_dummy")
    assert asked(cloud, "one.host.allocate", *new, True) == "3"
    assert "<NAME>host-sl</NAME><STATE>2</STATE><IM_MAD>im_dummy</IM_MAD><VM_MAD>vmm_dummy</VM_MAD>" in asked(
        cloud, "one.host.info", 3
    )
    taken = "Error allocating a new host. NAME is already taken by HOST 3."
    assert refused(cloud, "one.host.allocate", *new) == (taken, 8192)
    vm_id = cloud.allocate()
    assert asked(cloud, "one.vm.deploy", vm_id, 3) == str(vm_id)
    assert refused(cloud, "one.host.delete", 3)[1] == 8192
    cloud.act("finalize", vm_id)
    cloud.clock.step(8)
    assert asked(cloud, "one.host.delete", 3) == "3"
    assert refused(cloud, "one.host.delete", 3) == ("Error getting host [3].", 1024)
    assert asked(cloud, "one.host.allocate", *new) == "4"


def test_without_a_host_machines_wait(cloud: Cloud) -> None:
    for host_id in range(3):
        asked(cloud, "one.host.delete", host_id)
    vm_id = cloud.allocate()
    cloud.clock.step(100)
    assert cloud.states(vm_id) == (1, 0)


def test_a_machine_moves_to_another_host(cloud: Cloud) -> None:
    vm_id = cloud.running()
    assert asked(cloud, "one.vm.migrate", vm_id, 1, True) == str(vm_id)
    assert cloud.states(vm_id) == (3, 4)
    cloud.clock.step(2)
    assert cloud.states(vm_id) == (3, 3)
    records = re.findall(r"<HISTORY>.*?</HISTORY>", cloud.info(vm_id))
    assert [re.findall(r"<(?:SEQ|HID|REASON)>(\d+)", record) for record in records] == [
        ["0", "0", "3"],
        ["1", "1", "0"],
    ]
    assert "<PSTIME>0</PSTIME><PETIME>0</PETIME>" in records[1]
    cloud.act("suspend", vm_id)
    assert refused(cloud, "one.vm.migrate", vm_id, 0, False) == ("Wrong state to perform action", 2048)
    assert refused(cloud, "one.vm.migrate", vm_id, 9, False) == ("Error getting host [9].", 1024)


def test_networks_come_and_go(cloud: Cloud) -> None:
    assert asked(cloud, "one.vn.allocate", RANGED, user="alice") == "3"
    document = asked(cloud, "one.vn.info", 3, user="alice")
    assert "<UNAME>alice</UNAME><GNAME>users</GNAME><NAME>lab</NAME>" in document
    assert "<IP_START>192.168.7.1</IP_START><IP_END>192.168.7.254</IP_END>" in document
    assert refused(cloud, "one.vn.info", 3, user="bob")[1] == 512
    assert asked(cloud, "one.vnpool.info", -3, -1, -1, user="alice").count("<VNET>") == 1
    assert asked(cloud, "one.vnpool.info", -2, -1, -1, user="bob").count("<VNET>") == 3

    vm_id = cloud.allocate("NIC = [ NETWORK = lab ]\n")
    assert "<IP><![CDATA[192.168.7.1]]></IP>" in cloud.info(vm_id)
    nic = "NIC = [ NETWORK = lab, NETWORK_UNAME = alice ]\n"
    assert refused(cloud, "one.vm.allocate", nic, user="bob")[1] == 8192
    assert refused(cloud, "one.vn.delete", 3, user="alice")[1] == 8192
    cloud.act("finalize", vm_id)
    assert asked(cloud, "one.vn.delete", 3, user="alice") == "3"
    assert refused(cloud, "one.vn.delete", 0, user="alice")[1] == 512


@pytest.mark.parametrize(
    ("change", "addresses"),
    [
        (("NETWORK_SIZE = C", 'NETWORK_SIZE = "6"'), ("192.168.7.1", "192.168.7.6")),
        (('"192.168.7.0"', '"10.3.0.0/20"'), ("10.3.0.1", "10.3.15.254")),
        (("NETWORK_ADDRESS", 'IP_START = "10.3.0.4"\nIP_END = "10.3.0.9"\nX'), ("10.3.0.4", "10.3.0.9")),
        (("RANGED", 'FIXED\nLEASES = [ IP = "10.3.0.4" ]'), ("10.3.0.4", "10.3.0.4")),
    ],
)
def test_ranges_of_networks(cloud: Cloud, change: tuple[str, str], addresses: tuple[str, str]) -> None:
    asked(cloud, "one.vn.allocate", RANGED.replace(*change))
    first, last = addresses
    assert f"<IP_START>{first}</IP_START><IP_END>{last}</IP_END>" in asked(cloud, "one.vn.info", 3)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "NAME",
        RANGED.replace("lab", "public"),
        RANGED.replace("lab", "<b>"),
        RANGED.replace("lab", "n" * 129),
        RANGED.replace("BRIDGE", "X"),
        RANGED.replace("RANGED", "OTHER"),
        RANGED.replace("RANGED", "FIXED"),
        RANGED.replace("NETWORK_SIZE", "X"),
        RANGED.replace("NETWORK_SIZE = C", "NETWORK_SIZE = 0"),
        RANGED.replace("192.168.7.0", "192.168.7"),
    ],
)
def test_networks_refused(cloud: Cloud, template: str) -> None:
    text, code = refused(cloud, "one.vn.allocate", template)
    assert text.startswith("Error allocating a new virtual network. ")
    assert code == 8192


def test_images_come_and_go(cloud: Cloud) -> None:
    assert asked(cloud, "one.image.allocate", BLOCK, user="alice") == "0"
    document = asked(cloud, "one.image.info", 0, user="alice")
    assert re.sub(r"(?<=images/)\w+", "…", document).endswith(
        "<TYPE>2</TYPE><PERSISTENT>1</PERSISTENT><REGTIME>1400000000</REGTIME>"
        "<SOURCE>/var/lib/one/images/…</SOURCE><PATH></PATH><FSTYPE>ext3</FSTYPE><SIZE>10</SIZE>"
        "<STATE>1</STATE><RUNNING_VMS>0</RUNNING_VMS><TEMPLATE><DEV_PREFIX>hd</DEV_PREFIX></TEMPLATE></IMAGE>"
    )
    assert refused(cloud, "one.image.allocate", BLOCK, user="alice")[0].endswith("already taken by IMAGE 0.")
    assert refused(cloud, "one.image.info", 0, user="bob")[1] == 512
    assert asked(cloud, "one.image.delete", 0, user="alice") == "0"
    assert refused(cloud, "one.image.info", 0, user="alice") == ("Error getting image [0].", 1024)
    assert asked(cloud, "one.image.allocate", BLOCK, user="alice") == "1"


@pytest.mark.parametrize(
    "template", ["NAME", "NAME = a", "NAME = a\nTYPE = B\nPATH = c", "PATH = c", "NAME = a\nTYPE = DATABLOCK"]
)
def test_images_refused(cloud: Cloud, template: str) -> None:
    text, code = refused(cloud, "one.image.allocate", template, user="alice")
    assert text.startswith("Error allocating a new image. ")
    assert code == 8192


@pytest.mark.parametrize("disk", ["IMAGE = tty, IMAGE_UNAME = oneadmin", "IMAGE_ID = 0"])
def test_a_machine_has_an_image_on_its_disk(cloud: Cloud, disk: str) -> None:
    asked(cloud, "one.image.allocate", IMAGE)
    vm_id = cloud.running(f"DISK = [ {disk} ]\n")
    document = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", cloud.info(vm_id))
    assert "<DISK><CLONE>YES</CLONE><DISK_ID>0</DISK_ID><IMAGE>tty</IMAGE><IMAGE_ID>0</IMAGE_ID>" in document
    assert "<TARGET>hda</TARGET><TYPE>DISK</TYPE></DISK>" in document
    used = "<STATE>2</STATE><RUNNING_VMS>1</RUNNING_VMS>"
    assert used in asked(cloud, "one.imagepool.info", -2, -1, -1, user="alice")
    assert refused(cloud, "one.image.delete", 0)[1] == 8192
    cloud.act("finalize", vm_id)
    cloud.clock.step(8)
    assert "<STATE>1</STATE><RUNNING_VMS>0</RUNNING_VMS>" in asked(cloud, "one.image.info", 0)


def test_an_image_of_somebody_else_is_no_disk(cloud: Cloud) -> None:
    asked(cloud, "one.image.allocate", IMAGE.replace("YES", "NO"))
    text, code = refused(cloud, "one.vm.allocate", "DISK = [ IMAGE_ID = 0 ]", user="alice")
    assert (text.rpartition(" a new ")[2], code) == (
        "virtual machine. Could not get disk image for VM.",
        8192,
    )


def test_a_disk_is_to_be_saved(cloud: Cloud) -> None:
    vm_id = cloud.running("DISK = [ TYPE = fs, SIZE = 1, TARGET = hda ]\n")
    assert asked(cloud, "one.vm.savedisk", vm_id, 0, "saved", "", user="alice") == "0"
    assert "<SAVE><![CDATA[YES]]></SAVE><SAVE_AS><![CDATA[0]]></SAVE_AS>" in cloud.info(vm_id)
    document = asked(cloud, "one.image.info", 0, user="alice")
    assert "<SOURCE>-</SOURCE>" in document
    assert "<STATE>4</STATE>" in document
    assert f"<SAVED_VM_ID>{vm_id}</SAVED_VM_ID>" in document
    assert refused(cloud, "one.vm.savedisk", vm_id, 7, "other", "", user="alice")[1] == 8192


def test_users_and_groups(cloud: Cloud) -> None:
    cloud.call("one.vmpool.info", -3, -1, -1, -1)
    pool = asked(cloud, "one.userpool.info")
    assert re.findall(r"<USER><ID>(\d+)</ID><GID>(\d+)</GID><GNAME>(\w+)</GNAME><NAME>(\w+)<", pool) == [
        ("0", "0", "oneadmin", "oneadmin"),
        ("1", "0", "oneadmin", "serveradmin"),
        ("2", "1", "users", "alice"),
    ]
    assert f"{asked(cloud, 'one.user.info', -1, user='alice')}</USER_POOL>" in pool
    assert asked(cloud, "one.userpool.info", user="alice") == "<USER_POOL></USER_POOL>"
    assert refused(cloud, "one.user.info", 0, user="alice")[1] == 512
    assert refused(cloud, "one.user.info", 7) == ("Error getting user [7].", 1024)
    groups = (
        "<GROUP><ID>0</ID><NAME>oneadmin</NAME><USERS><ID>0</ID><ID>1</ID></USERS></GROUP>",
        "<GROUP><ID>1</ID><NAME>users</NAME><USERS><ID>2</ID></USERS></GROUP>",
    )
    assert asked(cloud, "one.grouppool.info") == f"<GROUP_POOL>{''.join(groups)}</GROUP_POOL>"
    assert asked(cloud, "one.group.info", 1, user="alice") == groups[1]
    assert refused(cloud, "one.group.info", 0, user="alice")[1] == 512
    assert refused(cloud, "one.group.info", 9) == ("Error getting group [9].", 1024)


@pytest.mark.parametrize(
    ("method", "arguments", "right"),
    [
        ("one.host.allocate", ("a", "b", "c", "d", "e"), "CREATE HOST"),
        ("one.host.delete", (0,), "ADMIN HOST [0]"),
        ("one.vm.deploy", (0, 0), "ADMIN VM [0]"),
        ("one.vm.migrate", (0, 0, True), "ADMIN VM [0]"),
    ],
)
def test_what_is_for_the_administrator(
    cloud: Cloud, method: str, arguments: tuple[object, ...], right: str
) -> None:
    cloud.allocate()
    text = f"User [2] : Not authorized to perform {right}."
    assert refused(cloud, method, *arguments, user="alice") == (text, 512)


def test_templates_come_and_go(cloud: Cloud) -> None:
    text = "NAME = small\nMEMORY = 64\nCONTEXT = [ A = $VMID ]\n"
    assert asked(cloud, "one.template.allocate", text, user="alice") == "0"
    document = asked(cloud, "one.template.info", 0, user="alice")
    assert document.startswith("<VMTEMPLATE><ID>0</ID><UID>2</UID><GID>1</GID><UNAME>alice</UNAME>")
    assert document.endswith(
        "<REGTIME>1400000000</REGTIME><TEMPLATE><CONTEXT><A>$VMID</A></CONTEXT><MEMORY>64</MEMORY>"
        "<NAME>small</NAME></TEMPLATE></VMTEMPLATE>"
    )
    pool = f"<VMTEMPLATE_POOL>{document}</VMTEMPLATE_POOL>"
    assert asked(cloud, "one.templatepool.info", -2, -1, -1, user="alice") == pool
    assert (
        asked(cloud, "one.templatepool.info", -2, -1, -1, user="bob") == "<VMTEMPLATE_POOL></VMTEMPLATE_POOL>"
    )
    assert refused(cloud, "one.template.info", 0, user="bob")[1] == 512
    assert refused(cloud, "one.template.allocate", text, user="alice")[0].endswith("taken by TEMPLATE 0.")
    assert refused(cloud, "one.template.allocate", "NAME", user="alice")[1] == 8192

    assert asked(cloud, "one.template.update", 0, "MEMORY = 128\nPUBLIC = YES", user="alice") == "0"
    assert "<MEMORY>128</MEMORY>" in asked(cloud, "one.template.info", 0, user="bob")
    assert refused(cloud, "one.template.delete", 0, user="bob")[1] == 512
    assert asked(cloud, "one.template.delete", 0, user="alice") == "0"
    missing = ("Error getting virtual machine template [0].", 1024)
    assert refused(cloud, "one.template.info", 0, user="alice") == missing
    assert asked(cloud, "one.template.allocate", "MEMORY = 64", user="alice") == "1"
    assert "<NAME>template-1</NAME>" in asked(cloud, "one.template.info", 1, user="alice")


def test_a_template_makes_machines(cloud: Cloud) -> None:
    text = "NAME = small\nMEMORY = 64\nCONTEXT = [ A = $VMID ]\nNIC = [ NETWORK_ID = 0 ]\n"
    asked(cloud, "one.template.allocate", text, user="alice")
    for vm_id, (name, called) in enumerate([("", "small"), ("web", "web")]):
        assert asked(cloud, "one.template.instantiate", 0, name, user="alice") == str(vm_id)
        document = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", cloud.info(vm_id))
        assert f"<NAME>{called}</NAME><PERMISSIONS>" in document
        assert f"<A>{vm_id}</A>" in document
        assert f"<IP>198.18.0.{vm_id + 1}</IP>" in document
        assert "<TEMPLATE_ID>0</TEMPLATE_ID>" in document
    assert "<A>$VMID</A>" in asked(cloud, "one.template.info", 0, user="alice")
    assert refused(cloud, "one.template.instantiate", 0, "<b>", user="alice")[1] == 8192


@pytest.mark.parametrize(("method", "arguments"), [("one.vm.chown", (0, 0, 0)), ("one.acl.info", ())])
def test_what_is_known_but_not_done_here(cloud: Cloud, method: str, arguments: tuple[int, ...]) -> None:
    assert refused(cloud, method, *arguments) == ("The sandbox does not do this.", 8192)


def test_every_method_has_a_name_in_errors() -> None:
    names = {request_name(method) for method in METHODS}
    assert len(names) == len(METHODS)
    assert {"VirtualMachinePoolInfo", "VirtualNetworkAddLeases", "AclAddRule", "HostInfo"} <= names
