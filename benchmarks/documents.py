"""Answers of the three services, of any length, as bytes."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

_VM = (
    "<VM><ID>{id}</ID><UID>10</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME><NAME>node-{id}</NAME>"
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>0</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS><LAST_POLL>1419841784</LAST_POLL><STATE>3</STATE><LCM_STATE>3</LCM_STATE>"
    "<STIME>1419246046</STIME><ETIME>0</ETIME><DEPLOY_ID>one-{id}</DEPLOY_ID><MEMORY>16856436</MEMORY>"
    "<CPU>3</CPU><NET_TX>12142932</NET_TX><NET_RX>120698217</NET_RX><TEMPLATE><CONTEXT>"
    "<PUBLIC_KEY><![CDATA[ssh-rsa {key} alice@example.org\n]]></PUBLIC_KEY><TARGET><![CDATA[hdd]]></TARGET>"
    "</CONTEXT><CPU><![CDATA[2]]></CPU><DISK><DISK_ID><![CDATA[0]]></DISK_ID><DRIVER><![CDATA[raw]]></DRIVER>"
    "<READONLY><![CDATA[no]]></READONLY><SAVE><![CDATA[no]]></SAVE>"
    "<SOURCE><![CDATA[https://marketplace.example.org/metadata/BN1EEkPiBx87_uLj2-sdybSI-Xb]]></SOURCE>"
    "<TARGET><![CDATA[vda]]></TARGET></DISK><DISK><DISK_ID><![CDATA[1]]></DISK_ID>"
    "<READONLY><![CDATA[no]]></READONLY><SIZE><![CDATA[1536]]></SIZE><TARGET><![CDATA[vdb]]></TARGET>"
    "<TYPE><![CDATA[swap]]></TYPE></DISK><DISK><DISK_ID><![CDATA[2]]></DISK_ID>"
    "<READONLY><![CDATA[no]]></READONLY><SAVE><![CDATA[no]]></SAVE>"
    "<SOURCE><![CDATA[pdisk:https://disks.example.org/pdisk/29eca93d-3832-4721-bfe4-3d15a6efa2df]]></SOURCE>"
    "<TARGET><![CDATA[vdc]]></TARGET><TYPE><![CDATA[block]]></TYPE></DISK><GRAPHICS>"
    "<PORT><![CDATA[-1]]></PORT><TYPE><![CDATA[vnc]]></TYPE></GRAPHICS><MEMORY><![CDATA[2048]]></MEMORY><NAME><![CDATA[node-{id}]]></NAME><NIC>"
    "<BRIDGE><![CDATA[br.702]]></BRIDGE><IP><![CDATA[192.0.2.{octet}]]></IP>"
    "<MAC><![CDATA[02:00:c0:00:02:01]]></MAC><NETWORK><![CDATA[public]]></NETWORK>"
    "<NETWORK_ID><![CDATA[25]]></NETWORK_ID><NETWORK_UNAME><![CDATA[oneadmin]]></NETWORK_UNAME>"
    "<VLAN><![CDATA[NO]]></VLAN></NIC><RANK><![CDATA[- RUNNING_VMS]]></RANK><VCPU><![CDATA[2]]></VCPU>"
    "<VMID><![CDATA[{id}]]></VMID></TEMPLATE><HISTORY_RECORDS>{history}</HISTORY_RECORDS></VM>"
)
_HISTORY = (
    "<HISTORY><SEQ>{sequence}</SEQ>"
    "<HOSTNAME>host-{octet}</HOSTNAME><VM_DIR>/var/lib/one</VM_DIR><HID>72</HID><STIME>1419246062</STIME>"
    "<ETIME>0</ETIME><VMMMAD>vmm_kvm</VMMMAD><VNMMAD>dummy</VNMMAD><TMMAD>tm_stratuslab</TMMAD>"
    "<PSTIME>1419246062</PSTIME><PETIME>1419246115</PETIME><RSTIME>1419246115</RSTIME><RETIME>0</RETIME>"
    "<ESTIME>0</ESTIME><EETIME>0</EETIME><REASON>0</REASON></HISTORY>"
)
_KEY = "A" * 550

_ENTRY = (
    '<rdf:RDF xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:slreq="http://mp.stratuslab.eu/slreq#" xmlns:slterms="http://mp.stratuslab.eu/slterms#">\n'
    '<rdf:Description rdf:about="#{id}">\n<dcterms:identifier>{id}</dcterms:identifier>\n'
    "<slreq:bytes>1073741824</slreq:bytes>\n"
    '<slreq:checksum rdf:parseType="Resource">\n<slreq:algorithm>SHA-1</slreq:algorithm>\n'
    "<slreq:value>1104f3e30c030f8b93f220b04131032dddf51f21</slreq:value>\n</slreq:checksum>\n"
    '<slreq:checksum rdf:parseType="Resource">\n<slreq:algorithm>SHA-512</slreq:algorithm>\n'
    "<slreq:value>{sha512}</slreq:value>\n</slreq:checksum>\n"
    '<slreq:endorsement rdf:parseType="Resource">\n'
    '<created xmlns="http://purl.org/dc/terms/">2014-03-08T14:10:40Z</created>\n'
    '<endorser xmlns="http://mp.stratuslab.eu/slreq#" rdf:parseType="Resource">\n'
    "<email>jane.tester@example.org</email>\n<subject>CN=Jane Tester,C=EU</subject>\n"
    "<issuer>CN=TestCA,C=EU</issuer>\n</endorser>\n</slreq:endorsement>\n"
    "<dcterms:type>base</dcterms:type>\n<slterms:kind>machine</slterms:kind>\n<slterms:os>ttylinux</slterms:os>\n"
    "<slterms:os-version>9.3</slterms:os-version>\n<slterms:os-arch>i686</slterms:os-arch>\n"
    "<slterms:version>1.0</slterms:version>\n<dcterms:compression>gz</dcterms:compression>\n"
    "<dcterms:format>raw</dcterms:format>\n<dcterms:creator>Jane Tester</dcterms:creator>\n"
    "<dcterms:created>2011-09-09T14:12:57Z</dcterms:created>\n<dcterms:valid>2036-03-05T14:12:57Z</dcterms:valid>\n"
    "<dcterms:title>image {number}</dcterms:title>\n<dcterms:description>An image.</dcterms:description>\n"
    "<slterms:location>http://images.example.org/{id}.img.gz</slterms:location>\n"
    "<slterms:hypervisor>kvm</slterms:hypervisor>\n<dcterms:publisher>StratusLab</dcterms:publisher>\n"
    '</rdf:Description>\n<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>'
    '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"/>'
    '<SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/><Reference URI=""><Transforms>'
    '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></Transforms>'
    '<DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>'
    "<DigestValue>d3JpdHRlbiBmb3IgdGhpcyBvbmU=</DigestValue></Reference></SignedInfo>"
    "<SignatureValue>{signature}</SignatureValue><KeyInfo><X509Data>"
    "<X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></Signature></rdf:RDF>"
)
_LINE = "c" * 76
_SIGNATURE, _CERTIFICATE = "\n".join([_LINE] * 5), "\n".join([_LINE] * 26)


def vm_document(number: int) -> str:
    """Return a ``<VM>`` of some 3.2 kB."""
    octet = number % 250 + 1
    history = "".join(_HISTORY.format(sequence=sequence, octet=octet) for sequence in range(2))
    return _VM.format(id=number, octet=octet, key=_KEY, history=history)


def vm_pool(count: int) -> str:
    """Return a ``<VM_POOL>``."""
    return f"<VM_POOL>{''.join(map(vm_document, range(count)))}</VM_POOL>"


def xmlrpc(value: str) -> bytes:
    """Return StratusLab's proxy's answer that holds a value, with its type tag or as text."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"><params><param><value><array>'
        f"<data><value><boolean>1</boolean></value><value>{value}</value><value><i4>0</i4></value></data></array>"
        "</value></param></params></methodResponse>"
    ).encode()


def xmlrpc_document(document: str) -> bytes:
    """Return the proxy's answer that holds a document."""
    return xmlrpc(escape(document))


def metadata(count: int) -> bytes:
    """Return a Marketplace's list of entries of some 5 kB."""
    entries = (
        _ENTRY.format(
            id=f"B{number:026d}",
            number=number,
            sha512="70cd8ad1" * 16,
            signature=_SIGNATURE,
            certificate=_CERTIFICATE,
        )
        for number in range(count)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><metadata>{"".join(entries)}</metadata>'.encode()


def disks(count: int) -> bytes:
    """Return PDisk's list of disks."""
    found = [
        {
            "uuid": f"29eca93d-3832-4721-bfe4-{number:012x}",
            "tag": f"disk {number}",
            "count": "0",
            "owner": "alice",
            "size": "5",
        }
        for number in range(count)
    ]
    return json.dumps(found, indent=4).encode()
