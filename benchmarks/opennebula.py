"""OpenNebula 6.10: long lists against their floor and pyone, and how many requests a node costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from benchmarks import documents
from benchmarks.measuring import Result, against, interleaved, sent
from benchmarks.service import serving
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT = (
    "<VM><ID>{id}</ID><UID>2</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>node-{id}</NAME>"
    "<LAST_POLL>0</LAST_POLL><STATE>3</STATE><LCM_STATE>3</LCM_STATE><RESCHED>0</RESCHED>"
    "<STIME>1795425600</STIME><ETIME>0</ETIME><DEPLOY_ID>host-a:node-{id}:dummy</DEPLOY_ID><TEMPLATE>"
    "<CPU>0.1</CPU><MEMORY>64</MEMORY><VCPU>1</VCPU><DISK><DISK_ID><![CDATA[0]]></DISK_ID>"
    "<DATASTORE><![CDATA[default]]></DATASTORE><DATASTORE_ID><![CDATA[1]]></DATASTORE_ID>"
    "<IMAGE><![CDATA[ttylinux]]></IMAGE><IMAGE_ID><![CDATA[0]]></IMAGE_ID><SIZE><![CDATA[1024]]></SIZE>"
    "<TYPE><![CDATA[FILE]]></TYPE><CLONE><![CDATA[YES]]></CLONE><CLONE_TARGET><![CDATA[SYSTEM]]></CLONE_TARGET>"
    "<LN_TARGET><![CDATA[NONE]]></LN_TARGET><DISK_SNAPSHOT_TOTAL_SIZE><![CDATA[0]]></DISK_SNAPSHOT_TOTAL_SIZE>"
    "</DISK><NIC><IP><![CDATA[198.18.0.{octet}]]></IP><MAC><![CDATA[02:00:86:9e:4b:1f]]></MAC>"
    "<NETWORK><![CDATA[public]]></NETWORK><NETWORK_ID><![CDATA[0]]></NETWORK_ID><NIC_ID><![CDATA[0]]></NIC_ID>"
    "<SECURITY_GROUPS><![CDATA[0]]></SECURITY_GROUPS></NIC></TEMPLATE><MONITORING/>"
    "<USER_TEMPLATE></USER_TEMPLATE><HISTORY_RECORDS><HISTORY><OID>{id}</OID><SEQ>0</SEQ>"
    "<HOSTNAME><![CDATA[host-a]]></HOSTNAME><HID>0</HID><CID>0</CID><DS_ID>0</DS_ID>"
    "<VM_MAD><![CDATA[dummy]]></VM_MAD><TM_MAD><![CDATA[dummy]]></TM_MAD><ACTION><![CDATA[0]]></ACTION>"
    "</HISTORY></HISTORY_RECORDS></VM>"
)
"""An entry of the short list, as recorded of 6.10.5."""
_RULES = "".join(
    "<SECURITY_GROUP_RULE><PROTOCOL><![CDATA[ALL]]></PROTOCOL>"
    f"<RULE_TYPE><![CDATA[{direction}]]></RULE_TYPE><SECURITY_GROUP_ID><![CDATA[0]]></SECURITY_GROUP_ID>"
    "<SECURITY_GROUP_NAME><![CDATA[default]]></SECURITY_GROUP_NAME></SECURITY_GROUP_RULE>"
    for direction in ("OUTBOUND", "INBOUND")
)
_LONG = (
    "<VM><ID>{id}</ID><UID>2</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>node-{id}</NAME>"
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS><LAST_POLL>0</LAST_POLL><STATE>3</STATE><LCM_STATE>3</LCM_STATE><PREV_STATE>3</PREV_STATE>"
    "<PREV_LCM_STATE>3</PREV_LCM_STATE><RESCHED>0</RESCHED><STIME>1795582556</STIME><ETIME>0</ETIME>"
    "<DEPLOY_ID>host01:node-{id}:dummy</DEPLOY_ID><MONITORING></MONITORING><SCHED_ACTIONS></SCHED_ACTIONS>"
    '<TEMPLATE><AUTOMATIC_DS_REQUIREMENTS><![CDATA[("CLUSTERS/ID" @> 0)]]></AUTOMATIC_DS_REQUIREMENTS>'
    '<AUTOMATIC_NIC_REQUIREMENTS><![CDATA[("CLUSTERS/ID" @> 0)]]></AUTOMATIC_NIC_REQUIREMENTS>'
    "<AUTOMATIC_REQUIREMENTS><![CDATA[(CLUSTER_ID = 0) & !(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)]]>"
    "</AUTOMATIC_REQUIREMENTS><CPU><![CDATA[0.1]]></CPU><DISK><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS>"
    "<CLONE><![CDATA[YES]]></CLONE><CLONE_TARGET><![CDATA[SYSTEM]]></CLONE_TARGET>"
    "<CLUSTER_ID><![CDATA[0]]></CLUSTER_ID><DATASTORE><![CDATA[default]]></DATASTORE>"
    "<DATASTORE_ID><![CDATA[1]]></DATASTORE_ID><DEV_PREFIX><![CDATA[sd]]></DEV_PREFIX>"
    "<DISK_ID><![CDATA[0]]></DISK_ID><DISK_SNAPSHOT_TOTAL_SIZE><![CDATA[0]]></DISK_SNAPSHOT_TOTAL_SIZE>"
    "<DISK_TYPE><![CDATA[FILE]]></DISK_TYPE><DRIVER><![CDATA[dummy_format]]></DRIVER>"
    "<FORMAT><![CDATA[dummy_format]]></FORMAT><IMAGE><![CDATA[debian-12]]></IMAGE>"
    "<IMAGE_ID><![CDATA[0]]></IMAGE_ID><IMAGE_STATE><![CDATA[2]]></IMAGE_STATE>"
    "<LN_TARGET><![CDATA[NONE]]></LN_TARGET><ORIGINAL_SIZE><![CDATA[1024]]></ORIGINAL_SIZE>"
    "<READONLY><![CDATA[NO]]></READONLY><SAVE><![CDATA[NO]]></SAVE><SIZE><![CDATA[1024]]></SIZE>"
    "<SOURCE><![CDATA[dummy_path]]></SOURCE><TARGET><![CDATA[sda]]></TARGET><TM_MAD><![CDATA[dummy]]></TM_MAD>"
    "<TYPE><![CDATA[FILE]]></TYPE></DISK><MEMORY><![CDATA[64]]></MEMORY><NIC><AR_ID><![CDATA[0]]></AR_ID>"
    "<BRIDGE><![CDATA[br0]]></BRIDGE><BRIDGE_TYPE><![CDATA[linux]]></BRIDGE_TYPE>"
    "<CLUSTER_ID><![CDATA[0]]></CLUSTER_ID><DNS><![CDATA[192.0.2.53]]></DNS>"
    "<GATEWAY><![CDATA[198.18.0.1]]></GATEWAY><IP><![CDATA[198.18.0.{octet}]]></IP>"
    "<MAC><![CDATA[02:00:c6:12:00:0a]]></MAC><NAME><![CDATA[NIC0]]></NAME><NETWORK><![CDATA[public]]></NETWORK>"
    "<NETWORK_ID><![CDATA[0]]></NETWORK_ID><NIC_ID><![CDATA[0]]></NIC_ID>"
    "<SECURITY_GROUPS><![CDATA[0]]></SECURITY_GROUPS><TARGET><![CDATA[one-{id}-0]]></TARGET>"
    "<VN_MAD><![CDATA[dummy]]></VN_MAD></NIC><OS><UUID><![CDATA[1e0f59a3-6c13-4d04-856f-721744a869a5]]></UUID>"
    f"</OS>{_RULES}<TM_MAD_SYSTEM><![CDATA[dummy]]></TM_MAD_SYSTEM><VCPU><![CDATA[1]]></VCPU>"
    "<VMID><![CDATA[{id}]]></VMID></TEMPLATE><USER_TEMPLATE><LIBCLOUD_TOKEN><![CDATA[{token}]]></LIBCLOUD_TOKEN>"
    "</USER_TEMPLATE><HISTORY_RECORDS><HISTORY><OID>{id}</OID><SEQ>0</SEQ><HOSTNAME>host01</HOSTNAME><HID>0</HID>"
    "<CID>0</CID><STIME>1795582557</STIME><ETIME>0</ETIME><VM_MAD><![CDATA[dummy]]></VM_MAD>"
    "<TM_MAD><![CDATA[dummy]]></TM_MAD><DS_ID>0</DS_ID><PSTIME>1795582557</PSTIME><PETIME>1795582557</PETIME>"
    "<RSTIME>1795582557</RSTIME><RETIME>0</RETIME><ESTIME>0</ESTIME><EETIME>0</EETIME><ACTION>0</ACTION>"
    "<UID>-1</UID><GID>-1</GID><REQUEST_ID>-1</REQUEST_ID></HISTORY></HISTORY_RECORDS>"
    "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS></VM>"
)
"""What the long list says of a VM, as recorded of 6.10.5."""


def _pool(entry: str, count: int) -> str:
    vms = "".join(
        entry.format(id=number, octet=number % 250 + 1, token=f"{number:032x}") for number in range(count)
    )
    return f"<VM_POOL>{vms}</VM_POOL>"


def opennebula_lists(rounds: int, count: int = 1000) -> Iterator[Result]:
    """Compare both lists with fetching and ElementTree alone, and the short one with pyone."""
    short, long = _pool(_SHORT, count), _pool(_LONG, count)
    answers = {
        "one.system.version": ("text/xml", documents.xmlrpc("6.10.5")),
        "one.vmpool.infoextended": ("text/xml", documents.xmlrpc_document(long)),
        "one.vmpool.info": ("text/xml", documents.xmlrpc_document(short)),
    }
    with serving(answers) as url:
        driver = OpenNebulaNodeDriver("alice", "secret", host=f"{url}/RPC2")

        def floor(call: str) -> int:
            body = sent(
                driver._at(None).rpc.connection, "POST", "", f"<methodName>{call}</methodName>".encode()
            )
            envelope = ElementTree.fromstring(body)
            text = envelope.findall("params/param/value/array/data/value")[1].text or ""
            return len(ElementTree.fromstring(text))

        name = f"list_nodes, {count:,} VMs of OpenNebula 6.10"
        yield against(
            name,
            "time / floor",
            1.35,
            rounds,
            lambda: len(driver.list_nodes()),
            lambda: floor("one.vmpool.info"),
            count,
        )
        yield against(
            f"{name}, ex_details",
            "time / floor",
            1.35,
            rounds,
            lambda: len(driver.list_nodes(ex_details=True)),
            lambda: floor("one.vmpool.infoextended"),
            count,
        )
        yield _against_pyone(name, rounds, driver, f"{url}/RPC2")


def _against_pyone(name: str, rounds: int, driver: OpenNebulaNodeDriver, url: str) -> Result:
    import pyone

    one = pyone.OneServer(url, session="alice:secret")
    mine, theirs = interleaved(rounds, driver.list_nodes, lambda: one.vmpool.info(-3, -1, -1, -1))
    measured = {"seconds": mine, "pyone_seconds": theirs}
    return Result(name, "time / pyone's vmpool.info", mine / theirs, 1 / 2.5, measured)


def opennebula_pair(pairs: int = 20) -> Iterator[Result]:
    """Count the requests for a node from a listed image, made and ended, on the sandbox."""
    with Sandbox(cloud="opennebula-6.10", boot_seconds=0) as sandbox:
        driver = OpenNebulaNodeDriver(stratuslab_user_config=sandbox.config_file)
        image, size = driver.list_images()[0], driver.list_sizes()[0]
        driver.create_node("first", size, image).destroy()
        sandbox.request_log.clear()
        start = time.perf_counter()
        for _ in range(pairs):
            driver.create_node("node", size, image).destroy()
        seconds = (time.perf_counter() - start) / pairs
        requests = len(sandbox.request_log.operations())
    name = f"{pairs} x (create_node, destroy_node) on OpenNebula 6.10"
    yield Result(name, "requests a pair", requests / pairs, 4, {"seconds_a_pair": seconds})
