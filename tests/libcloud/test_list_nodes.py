"""Nodes in lists, however odd the VM."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.types import NodeState

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.libcloud.stratuslab_driver import StratusLabNode, StratusLabNodeDriver

if TYPE_CHECKING:
    from stratuslab.sandbox import Sandbox

TEMPLATE = "<CPU>1</CPU><MEMORY>512</MEMORY><VCPU>2</VCPU>"
DISK = "<DISK><DISK_ID>0</DISK_ID><SOURCE>https://market.example.org/metadata/{}</SOURCE></DISK>"
SWAP = "<DISK><DISK_ID>1</DISK_ID><SIZE>256</SIZE><TYPE>swap</TYPE></DISK>"
NIC = "<NIC><IP>192.0.2.{}</IP><MAC>02:00:c0:00:02:{:02x}</MAC><NETWORK>{}</NETWORK></NIC>"
IMAGE = "BN1EEkPiBx87_uLj2-sdybSI-Xb"
HISTORY = "<HISTORY><SEQ>{}</SEQ><HOSTNAME>{}</HOSTNAME><STIME>1400000000</STIME><ETIME>0</ETIME></HISTORY>"


def vm(
    vm_id: int,
    *,
    name: str = "odd",
    state: int = 3,
    lcm_state: int = 3,
    template: str = TEMPLATE,
    history: str = HISTORY.format(0, "host-a"),
) -> str:
    records = f"<HISTORY_RECORDS>{history}</HISTORY_RECORDS>" if history else "<HISTORY_RECORDS/>"
    return (
        f"<VM><ID>{vm_id}</ID><UID>0</UID><GID>1</GID><UNAME>demo</UNAME><GNAME>users</GNAME><NAME>{name}</NAME>"
        f"<LAST_POLL>0</LAST_POLL><STATE>{state}</STATE><LCM_STATE>{lcm_state}</LCM_STATE><STIME>1400000000</STIME>"
        f"<ETIME>0</ETIME><DEPLOY_ID></DEPLOY_ID><MEMORY>0</MEMORY><CPU>0</CPU><NET_TX>0</NET_TX><NET_RX>0</NET_RX>"
        f"<TEMPLATE>{template}</TEMPLATE>{records}</VM>"
    )


def listed(sandbox: Sandbox, driver: StratusLabNodeDriver, *documents: str) -> list[StratusLabNode]:
    """Return the nodes of the documents, which stand between two plain ones."""
    oned = sandbox.location("here").oned
    for document in (vm(10, name="first"), *documents, vm(99, name="last")):
        oned.insert(document)
    nodes = driver.list_nodes()
    assert [node.name for node in (nodes[0], nodes[-1])] == ["first", "last"]
    return nodes[1:-1]


def test_a_node_says_what_the_cloud_says(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    template = TEMPLATE + DISK.format(IMAGE) + SWAP + NIC.format(7, 7, "public")
    [node] = listed(sandbox, driver, vm(42, name="web", template=template))

    assert (node.id, node.name, node.state, node.host) == ("42", "web", NodeState.RUNNING, "host-a")
    assert (node.public_ips, node.private_ips) == (["192.0.2.7"], [])
    assert (node.size.cpu, node.size.ram, node.size.swap, node.size.disk) == (2, 512, 256, 0)
    assert (node.image.id, node.location.id) == (IMAGE, "here")
    assert node.created_at == datetime.fromtimestamp(1400000000, timezone.utc)
    assert node.driver is driver
    assert node.extra["owner"] == "demo"
    assert node.extra["networks"] == [{"network": "public", "ip": "192.0.2.7", "mac": "02:00:c0:00:02:07"}]


def test_the_nodes_of_others_are_listed_only_if_asked_for(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    """A VM of the same group that the group may use: OpenNebula's filter -1 would list it, too."""
    oned = sandbox.location("here").oned
    for owner in ("alice", "demo"):
        template = f'NAME = "of {owner}"\nCPU = "1"\nMEMORY = "64"'
        _, vm_id, _ = oned.call("one.vm.allocate", [template], owner)
        oned.call("one.vm.chmod", [vm_id, -1, -1, -1, 1, -1, -1, -1, -1, -1], owner)

    assert [node.name for node in driver.list_nodes()] == ["of demo"]
    assert [node.name for node in driver.list_nodes(ex_all_users=True)] == ["of alice", "of demo"]


def test_every_key_of_extra_is_documented(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42))
    documented = type(node).__doc__ or ""

    assert [key for key in node.extra if f"``{key}``" not in documented] == []


def test_a_node_without_nic_has_no_address(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42))

    assert (node.public_ips, node.private_ips) == ([], [])


def test_a_nic_without_address_gives_none(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42, template=f"{TEMPLATE}<NIC><NETWORK>public</NETWORK><IP/></NIC>"))

    assert node.public_ips == []


def test_addresses_are_sorted_by_network(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    nics = NIC.format(1, 1, "local") + NIC.format(2, 2, "public") + NIC.format(3, 3, "private")
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + nics))

    assert (node.public_ips, node.private_ips) == (["192.0.2.2"], ["192.0.2.1", "192.0.2.3"])


def test_on_networks_of_other_names_the_address_decides(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    nics = "".join(f"<NIC><NETWORK>lab</NETWORK><IP>{ip}</IP></NIC>" for ip in ("10.1.2.3", "8.8.8.8", "odd"))
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + nics))

    assert (node.public_ips, node.private_ips) == (["8.8.8.8", "odd"], ["10.1.2.3"])


def test_an_ipv6_address_for_the_site_alone_is_private(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    nic = "<NIC><NETWORK>lab</NETWORK><IP6_GLOBAL>2001:db8::7</IP6_GLOBAL><IP6_ULA>fd00::7</IP6_ULA></NIC>"
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + nic))

    assert (node.public_ips, node.private_ips) == (["2001:db8::7"], ["fd00::7"])


@pytest.mark.parametrize("network", ["public", "lab"])
def test_an_address_behind_a_carriers_nat_is_private(
    sandbox: Sandbox, driver: StratusLabNodeDriver, network: str
) -> None:
    """The whole of 100.64.0.0/10, and nothing beside it, on whatever network."""
    ips = ("100.63.255.254", "100.64.0.1", "100.127.255.254", "100.128.0.1")
    nics = "".join(f"<NIC><NETWORK>{network}</NETWORK><IP>{ip}</IP></NIC>" for ip in ips)
    nics += "<NIC><NETWORK>lab</NETWORK><IP>10.0.0.1</IP><EXTERNAL_IP>100.64.9.9</EXTERNAL_IP></NIC>"
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + nics))

    assert node.public_ips == ["100.63.255.254", "100.128.0.1"]
    assert node.private_ips == ["100.64.0.1", "100.127.255.254", "10.0.0.1", "100.64.9.9"]


def test_addresses_of_every_kind(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    """Of cards, their aliases, PCI cards and what the guest says; each once, public or private."""
    template = (
        "<NIC><NETWORK>lab</NETWORK><IP>10.0.0.1</IP><EXTERNAL_IP>203.0.113.1</EXTERNAL_IP></NIC>"
        "<NIC><NETWORK>lab</NETWORK><IP6>2a00::1</IP6><IP6_GLOBAL>2a00::2</IP6_GLOBAL><IP6_ULA>fd00::1</IP6_ULA>"
        "<IP6_LINK>fe80::1</IP6_LINK></NIC>"
        "<NIC_ALIAS><NETWORK>lab</NETWORK><IP>8.8.4.4</IP><PARENT>NIC0</PARENT></NIC_ALIAS>"
        "<PCI><NETWORK>lab</NETWORK><NETWORK_ID>3</NETWORK_ID><IP>10.0.0.2</IP></PCI>"
        "<PCI><CLASS>0300</CLASS><IP>10.0.0.3</IP></PCI>"
    )
    said = (
        "<MONITORING><GUEST_IP>10.0.0.1</GUEST_IP><GUEST_IP_ADDRESSES>127.0.0.1,10.0.0.1,172.17.0.1,::1,fe80::1,"
        "2a00::1</GUEST_IP_ADDRESSES></MONITORING>"
    )
    document = vm(42, template=TEMPLATE + template).replace("<TEMPLATE>", f"{said}<TEMPLATE>")
    [node] = listed(sandbox, driver, document)

    assert node.public_ips == ["203.0.113.1", "2a00::1", "2a00::2", "8.8.4.4"]
    assert node.private_ips == ["10.0.0.1", "fd00::1", "10.0.0.2", "172.17.0.1"]
    assert node.extra["networks"][0]["external"] == "203.0.113.1"


def test_a_node_without_swap_has_none(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + DISK.format(IMAGE)))

    assert node.size.swap == 0


def test_the_root_disk_is_the_image_whatever_comes_after(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    others = (
        "<DISK><DISK_ID>2</DISK_ID><SOURCE>pdisk:host:8445/95b75092-17d2-459f-9fa0-cd1deaa721f1</SOURCE></DISK>"
        "<DISK><DISK_ID>3</DISK_ID><SIZE>10240</SIZE><TYPE>fs</TYPE></DISK>"
    )
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + DISK.format(IMAGE) + SWAP + others))

    assert node.image.id == IMAGE
    assert node.size.swap == 256
    assert [disk["disk_id"] for disk in node.extra["disks"]] == [0, 1, 2, 3]


def test_an_image_named_with_endorser_and_date_keeps_its_identifier(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    source = f"{IMAGE}/jane@example.org/2014-03-08T14:10:40Z"
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + DISK.format(source)))

    assert node.image.id == IMAGE


def test_a_node_booted_from_a_volume_has_it_as_its_image(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    disk = "<DISK><DISK_ID>0</DISK_ID><SOURCE>pdisk:h:1/95b75092-17d2-459f-9fa0-cd1deaa721f1</SOURCE></DISK>"
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + disk))

    assert node.image.id == "95b75092-17d2-459f-9fa0-cd1deaa721f1"


def test_the_host_is_that_of_the_newest_record(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    history = HISTORY.format(1, "host-b") + HISTORY.format(0, "host-a")
    [node] = listed(sandbox, driver, vm(42, history=history))

    assert node.host == "host-b"
    assert [record["hostname"] for record in node.extra["history"]] == ["host-a", "host-b"]


def test_a_node_that_was_never_deployed_has_no_host(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42, state=1, lcm_state=0, history=""))

    assert node.host is None


def test_a_failed_node_says_why(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    error = "<ERROR><MESSAGE>no such disk</MESSAGE><TIMESTAMP>now</TIMESTAMP></ERROR>"
    [node] = listed(sandbox, driver, vm(42, state=7, lcm_state=0, template=TEMPLATE + error))

    assert (node.state, node.extra["error"]) == (NodeState.ERROR, "no such disk")


@pytest.mark.parametrize("name", ["&lt;&amp;&quot;é☃", '<![CDATA[<&"é☃]]>'], ids=["escaped", "cdata"])
def test_any_name_is_listed(sandbox: Sandbox, driver: StratusLabNodeDriver, name: str) -> None:
    [node] = listed(sandbox, driver, vm(42, name=name))

    assert node.name == '<&"é☃'


def test_a_node_without_name_has_the_clouds(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42, name=""))

    assert node.name == "one-42"


@pytest.mark.parametrize(
    ("state", "lcm_state", "expected"),
    [
        (0, 0, NodeState.PENDING),
        (1, 0, NodeState.PENDING),
        (2, 0, NodeState.PENDING),
        (4, 0, NodeState.STOPPED),
        (5, 0, NodeState.SUSPENDED),
        (7, 0, NodeState.ERROR),
        (8, 0, NodeState.STOPPED),
        (9, 0, NodeState.STOPPED),
        (10, 0, NodeState.PENDING),
        (11, 0, NodeState.ERROR),
        (12, 0, NodeState.UNKNOWN),
        (3, 0, NodeState.PENDING),
        (3, 1, NodeState.PENDING),
        (3, 2, NodeState.STARTING),
        (3, 3, NodeState.RUNNING),
        (3, 4, NodeState.MIGRATING),
        (3, 5, NodeState.STOPPING),
        (3, 9, NodeState.STARTING),
        (3, 11, NodeState.STOPPING),
        (3, 12, NodeState.STOPPING),
        (3, 14, NodeState.ERROR),
        (3, 15, NodeState.STOPPING),
        (3, 16, NodeState.UNKNOWN),
        (3, 36, NodeState.ERROR),
        (3, 63, NodeState.STOPPED),
        (3, 72, NodeState.UNKNOWN),
        (-7, 0, NodeState.UNKNOWN),
    ],
)
def test_states(
    sandbox: Sandbox, driver: StratusLabNodeDriver, state: int, lcm_state: int, expected: NodeState
) -> None:
    [node] = listed(sandbox, driver, vm(42, state=state, lcm_state=lcm_state))

    assert node._state == expected


def test_nodes_of_an_instance_type_have_its_name(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    template = TEMPLATE.replace(">2<", ">1<") + SWAP.replace("256", "512")
    [node] = listed(sandbox, driver, vm(42, template=template))

    assert (node.size.id, node.size.name) == ("t1.micro", "t1.micro")


def test_one_request_a_location(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)

    assert driver.list_nodes() == []
    assert sorted((request.location, request.operation) for request in two_clouds.request_log) == [
        ("here", "one.vmpool.info"),
        ("there", "one.vmpool.info"),
    ]


def test_nodes_are_in_the_order_of_the_locations(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    for location in ("there", "here"):
        for vm_id in (5, 3):
            two_clouds.location(location).oned.insert(vm(vm_id))

    nodes = driver.list_nodes()

    assert [(node.location.id, node.id) for node in nodes] == [
        ("here", "3"),
        ("here", "5"),
        ("there", "3"),
        ("there", "5"),
    ]
    assert len({node.uuid for node in nodes}) == 4
    assert [node.uuid for node in driver.list_nodes()] == [node.uuid for node in nodes]


def test_one_location_is_asked_alone(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    there = driver.list_locations()[1]
    two_clouds.location("there").oned.insert(vm(3))

    for nodes in (
        driver.list_nodes_in_location(there),
        driver.list_nodes(ex_location=there),
        driver.list_nodes(ex_location=[there]),
        driver.list_nodes(ex_location=(there, there)),
    ):
        assert [node.location.id for node in nodes] == ["there"]
    assert {request.location for request in two_clouds.request_log} == {"there"}


def test_an_unknown_location_is_refused(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    with pytest.raises(InvalidArgumentError, match="found 'elsewhere'; give one of list_locations"):
        driver.list_nodes(ex_location=["elsewhere"])
    with pytest.raises(InvalidArgumentError, match="found 'elsewhere'; give one of list_locations"):
        driver.list_nodes(ex_location="elsewhere")
    no_location: Any = 7
    with pytest.raises(InvalidArgumentError, match=r"argument ex_location: found .*; give a list"):
        driver.list_nodes(ex_location=no_location)
    assert len(sandbox.request_log) == 0


def test_no_location_is_the_default_one(two_clouds: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=two_clouds.config_file)
    for location in ("here", "there"):
        two_clouds.location(location).oned.insert(vm(3))

    assert [node.location.id for node in driver.list_nodes_in_location(None)] == ["here"]


def test_a_user_sees_the_own_nodes(sandbox: Sandbox) -> None:
    base = f"{sandbox.url}/here"
    demo = StratusLabNodeDriver("demo", "demo-pass", host=base)
    guest = StratusLabNodeDriver("guest", "guest-pass", host=base)
    demo.create_node("mine", demo.list_sizes()[0], demo.list_images()[0])

    assert [node.name for node in demo.list_nodes()] == ["mine"]
    assert guest.list_nodes() == []


def test_details_of_one_node(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    [node] = listed(sandbox, driver, vm(42, template=TEMPLATE + DISK.format(IMAGE)))
    details = driver.ex_get_node_details("42")

    assert (details.id, details.uuid, details.image.id) == (node.id, node.uuid, IMAGE)
    assert driver.ex_get_node_details(42).uuid == node.uuid
    assert driver.ex_get_node_details("4242") is None


def test_a_node_beyond_opennebula_s_numbers_is_unknown(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    node = StratusLabNode(str(2**31), "far", NodeState.RUNNING, [], [], driver, driver.default_location)

    assert driver.ex_get_node_details(node.id) is None
    assert node.destroy()
    assert driver.ex_refresh_node(node).state == NodeState.TERMINATED
    assert len(sandbox.request_log) == 0


@pytest.mark.parametrize("node_id", ["", None, "abc", "../1", "-1", "1" * 30, True])
def test_details_of_what_is_no_id_are_refused(
    driver: StratusLabNodeDriver, sandbox: Sandbox, node_id: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"the argument node_id:"):
        driver.ex_get_node_details(node_id)
    assert len(sandbox.request_log) == 0
