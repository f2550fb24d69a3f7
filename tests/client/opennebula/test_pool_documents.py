"""Images, datastores, VM templates and networks, as recorded of OpenNebula 6.10.5 and shortened."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from stratuslab.client.opennebula.machine_template import MachineTemplate
from stratuslab.client.opennebula.one_image import Datastore, OneImage
from stratuslab.client.opennebula.virtual_networks import VirtualNetwork
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.client.transport.xml_document import DocumentError

IMAGE = (
    "<IMAGE><ID>25</ID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>vol-s</NAME><TYPE>2</TYPE>"
    "<PERSISTENT>1</PERSISTENT><REGTIME>1795582671</REGTIME><FORMAT><![CDATA[raw]]></FORMAT><SIZE>100</SIZE>"
    "<STATE>8</STATE><DATASTORE_ID>1</DATASTORE_ID><DATASTORE>default</DATASTORE><VMS><ID>47</ID></VMS>"
    "<TEMPLATE><LIBCLOUD_TOKEN><![CDATA[tok]]></LIBCLOUD_TOKEN><ERROR><![CDATA[why]]></ERROR></TEMPLATE>"
    "<SNAPSHOTS><SNAPSHOT><ACTIVE><![CDATA[YES]]></ACTIVE><CHILDREN><![CDATA[1]]></CHILDREN>"
    "<DATE><![CDATA[1795582672]]></DATE><ID><![CDATA[0]]></ID><NAME><![CDATA[one]]></NAME>"
    "<SIZE><![CDATA[100]]></SIZE></SNAPSHOT></SNAPSHOTS></IMAGE>"
)
TEMPLATE = (
    "<VMTEMPLATE><ID>1</ID><UNAME>oneadmin</UNAME><NAME>medium</NAME><TEMPLATE><CONTEXT>"
    "<SSH_PUBLIC_KEY><![CDATA[$USER[SSH_PUBLIC_KEY]]]></SSH_PUBLIC_KEY></CONTEXT><CPU><![CDATA[0.5]]></CPU>"
    "<DISK><IMAGE_ID><![CDATA[1]]></IMAGE_ID></DISK>"
    "<DISK><SIZE><![CDATA[1024]]></SIZE><TYPE><![CDATA[swap]]></TYPE></DISK><MEMORY><![CDATA[2048]]></MEMORY>"
    "<NIC><NETWORK><![CDATA[local]]></NETWORK></NIC></TEMPLATE></VMTEMPLATE>"
)
NETWORK = (
    "<VNET><ID>1</ID><UNAME>oneadmin</UNAME><NAME>local</NAME><USED_LEASES>3</USED_LEASES><TEMPLATE>"
    "<NETWORK_ADDRESS><![CDATA[10.1.0.0]]></NETWORK_ADDRESS><NETWORK_MASK><![CDATA[255.255.240.0]]></NETWORK_MASK>"
    "</TEMPLATE><AR_POOL><AR><SIZE><![CDATA[4000]]></SIZE></AR><AR><SIZE><![CDATA[10]]></SIZE></AR></AR_POOL></VNET>"
)
DATASTORE = (
    "<DATASTORE><ID>100</ID><NAME>ssd</NAME><TYPE>0</TYPE><STATE>0</STATE><FREE_MB>20480</FREE_MB>"
    "<USED_MB>9720</USED_MB><TEMPLATE>{}</TEMPLATE></DATASTORE>"
)
VM = (
    "<VM><ID>21</ID><NAME>v</NAME><STATE>3</STATE><LCM_STATE>3</LCM_STATE><MONITORING>"
    "<GUEST_IP_ADDRESSES><![CDATA[10.9.0.10,fe80::1,127.0.0.1]]></GUEST_IP_ADDRESSES></MONITORING><TEMPLATE>"
    "<CPU><![CDATA[0.1]]></CPU><NIC><IP><![CDATA[10.9.0.10]]></IP>"
    "<IP6_GLOBAL><![CDATA[2001:db8::1]]></IP6_GLOBAL><IP6_LINK><![CDATA[fe80::1]]></IP6_LINK>"
    "<IP6_ULA><![CDATA[fd00::1]]></IP6_ULA><EXTERNAL_IP><![CDATA[192.0.2.1]]></EXTERNAL_IP></NIC>"
    "<NIC_ALIAS><IP><![CDATA[10.2.0.10]]></IP></NIC_ALIAS>"
    "<PCI><NETWORK_ID><![CDATA[2]]></NETWORK_ID><IP><![CDATA[10.3.0.10]]></IP></PCI><PCI/></TEMPLATE>"
    "<USER_TEMPLATE><ERROR><![CDATA[why]]></ERROR><A><![CDATA[1]]></A></USER_TEMPLATE></VM>"
)


def test_an_image() -> None:
    image = OneImage.from_element(fromstring(IMAGE))

    assert (image.id, image.name, image.type, image.state) == (25, "vol-s", "DATABLOCK", "USED_PERS")
    assert (image.size_mib, image.persistent, image.vm_ids, image.error) == (100, True, (47,), "why")
    assert image.attributes["LIBCLOUD_TOKEN"] == "tok"
    [snapshot] = image.snapshots
    assert (snapshot.id, snapshot.name, snapshot.active, snapshot.has_children) == (0, "one", True, True)
    assert OneImage.from_element(fromstring("<IMAGE><ID>1</ID><STATE>99</STATE></IMAGE>")).state == "STATE 99"


def test_a_vm_template() -> None:
    template = MachineTemplate.from_element(fromstring(TEMPLATE))

    assert (template.id, template.name, template.cpu, template.cpu_share) == (1, "medium", None, 0.5)
    assert (template.ram_mib, template.swap_mib) == (2048, 1024)
    assert template.context == {"SSH_PUBLIC_KEY": "$USER[SSH_PUBLIC_KEY]"}
    assert template.disks[0] == {"IMAGE_ID": "1"}
    assert template.nics == ({"NETWORK": "local"},)


def test_a_network() -> None:
    network = VirtualNetwork.from_element(fromstring(NETWORK))

    assert (network.id, network.size, network.free, network.cidr) == ("1", 4010, 4007, "10.1.0.0/20")


@pytest.mark.parametrize(("limit", "free"), [("", 20480), ("<LIMIT_MB>20000</LIMIT_MB>", 10280)])
def test_a_limit_is_not_in_what_a_datastore_calls_free(limit: str, free: int) -> None:
    assert Datastore.from_element(fromstring(DATASTORE.format(limit))).free_mib == free


def test_all_addresses_of_a_vm() -> None:
    vm = VirtualMachine.from_element(fromstring(VM))

    assert [nic.ip for nic in vm.nics] == ["10.9.0.10", "10.2.0.10", "10.3.0.10", None]
    assert (vm.nics[0].external, vm.nics[0].others) == ("192.0.2.1", ("2001:db8::1", "fd00::1"))
    assert vm.nics[-1].others == ("10.9.0.10",)
    assert (vm.error, vm.attributes["A"]) == ("why", "1")
    assert not vm.cpu_is_known


@pytest.mark.parametrize("read", [OneImage, MachineTemplate, VirtualNetwork, Datastore])
def test_what_has_no_number_is_refused(read: type) -> None:
    with pytest.raises(DocumentError, match="numeric <ID>"):
        read.from_element(fromstring("<X/>"))
