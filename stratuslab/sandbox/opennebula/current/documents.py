"""The XML of images, datastores, networks, VM templates, hosts and users in OpenNebula's answers."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.vm_documents import lock_element, owner, snapshot_elements
from stratuslab.sandbox.opennebula.model.documents import id_elements, permission_elements
from stratuslab.sandbox.opennebula.model.networks import mac_of
from stratuslab.sandbox.opennebula.model.states import ImageType
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Datastore, Image, Network, VmTemplate
    from stratuslab.sandbox.opennebula.releases import Release

_VM_LEASE = 0x1000000000
_MIGRATION = {"DS_LIVE_MIGRATE": "YES", "DS_MIGRATE_SNAP": "YES"}
_KINDS = ("IMAGE_DS", "SYSTEM_DS", "FILE_DS")


def image_document(image: Image, books: Books, release: Release) -> str:
    """Return `<IMAGE>`."""
    states = f"<STATE>{image.state:d}</STATE>"
    if release.has_formats:
        form = f"<FORMAT><![CDATA[{image.format}]]></FORMAT><FS><![CDATA[]]></FS>"
        states += f"<PREV_STATE>{image.state:d}</PREV_STATE>"
    else:
        form = f"<FSTYPE><![CDATA[{image.format if image.type == ImageType.DATABLOCK else ''}]]></FSTYPE>"
    modified = f"<MODTIME>{image.regtime}</MODTIME>" if release.has_modification_times else ""
    backups = "<BACKUP_INCREMENTS></BACKUP_INCREMENTS><BACKUP_DISK_IDS></BACKUP_DISK_IDS>"
    datastore = books.datastores[image.datastore_id].name
    return (
        f"<IMAGE>{owner(image, books)}{lock_element(image)}{permission_elements(image)}"
        f"<TYPE>{image.type}</TYPE><DISK_TYPE>0</DISK_TYPE><PERSISTENT>{image.persistent:d}</PERSISTENT>"
        f"<REGTIME>{image.regtime}</REGTIME>{modified}<SOURCE><![CDATA[{image.source}]]></SOURCE>"
        f"<PATH><![CDATA[{image.path}]]></PATH>{form}<SIZE>{image.size}</SIZE>{states}"
        f"<RUNNING_VMS>{len(image.vms)}</RUNNING_VMS><CLONING_OPS>{image.cloning_ops}</CLONING_OPS>"
        f"<CLONING_ID>{image.cloning_id}</CLONING_ID><TARGET_SNAPSHOT>-1</TARGET_SNAPSHOT>"
        f"<DATASTORE_ID>{image.datastore_id}</DATASTORE_ID><DATASTORE>{datastore}</DATASTORE>"
        f"<VMS>{id_elements(image.vms)}</VMS><CLONES></CLONES><APP_CLONES></APP_CLONES>{image.template.to_xml()}"
        f"{snapshot_elements(image.snapshots)}{backups if release.has_backups else ''}</IMAGE>"
    )


def datastore_document(datastore: Datastore, books: Books, release: Release) -> str:
    """Return `<DATASTORE>`; a limit is in its template, and not in its free space."""
    is_system = datastore.type == 1
    template = {
        "ALLOW_ORPHANS": "NO",
        "DISK_TYPE": "FILE",
        "RESTRICTED_DIRS": "/",
        "SAFE_DIRS": "/var/tmp",  # noqa: S108 - as OpenNebula shows it
        "TM_MAD": "ssh",
        "TYPE": _KINDS[datastore.type],
        **({"DS_MIGRATE": "YES", "SHARED": "YES"} if is_system else {}),
        **({} if is_system else {"CLONE_TARGET": "SYSTEM", "DS_MAD": "fs", "LN_TARGET": "NONE"}),
        **({"PERSISTENT_SNAPSHOTS": "YES"} if release.persistent_snapshots else {}),
        **(_MIGRATION if release.persistent_snapshots and is_system else {}),
        **({"LIMIT_MB": str(datastore.limit_mb)} if datastore.limit_mb else {}),
    }
    images = [image.id for image in books.images.values() if image.datastore_id == datastore.id]
    return (
        f"<DATASTORE>{owner(datastore, books)}{permission_elements(datastore)}"
        f"<DS_MAD><![CDATA[{'-' if is_system else 'fs'}]]></DS_MAD><TM_MAD><![CDATA[ssh]]></TM_MAD>"
        f"<BASE_PATH><![CDATA[/var/lib/one//datastores/{datastore.id}]]></BASE_PATH>"
        f"<TYPE>{datastore.type}</TYPE><DISK_TYPE>0</DISK_TYPE><STATE>0</STATE>"
        f"<CLUSTERS><ID>0</ID></CLUSTERS><TOTAL_MB>{datastore.total_mb}</TOTAL_MB>"
        f"<FREE_MB>{datastore.free_mb}</FREE_MB><USED_MB>{datastore.total_mb - datastore.free_mb}</USED_MB>"
        f"<IMAGES>{id_elements(images)}</IMAGES>{Template([*template.items()]).to_xml()}</DATASTORE>"
    )


def network_document(network: Network, books: Books, release: Release, *, leases: bool) -> str:
    """Return `<VNET>`, with each lease if that is asked for."""
    last = network.address(network.size - 1)
    common = {
        "BRIDGE": network.bridge,
        "BRIDGE_TYPE": "linux",
        "PHYDEV": "",
        "SECURITY_GROUPS": "0",
        "VN_MAD": "bridge",
        **({"OUTER_VLAN_ID": "", "VLAN_ID": ""} if release.has_network_states else {}),
    }
    template = Template([*common.items(), *network.template.attributes])
    states = vms = ""
    if release.has_network_states:
        states = "<STATE><![CDATA[1]]></STATE><PREV_STATE><![CDATA[1]]></PREV_STATE>"
        updated = id_elements(sorted({*network.leases.values()}))
        vms = (
            f"<UPDATED_VMS>{updated}</UPDATED_VMS><OUTDATED_VMS></OUTDATED_VMS>"
            "<UPDATING_VMS></UPDATING_VMS><ERROR_VMS></ERROR_VMS>"
        )
    first = int(IPv4Address(network.first))
    allocated = "".join(
        f" {int(IPv4Address(address)) - first} {_VM_LEASE + vm}" for address, vm in network.leases.items()
    )
    values = {
        **({"ALLOCATED": allocated} if allocated and not leases else {}),
        "AR_ID": "0",
        **({"GLOBAL_PREFIX": network.global_prefix} if network.global_prefix else {}),
        "IP": network.first,
        "MAC": _mac(network.first),
        **({"NEXT_INDEX": "0", "SHARED": "NO"} if release.has_plans else {}),
        "SIZE": str(network.size),
        "TYPE": "IP4_6" if network.global_prefix or network.ula_prefix else "IP4",
        **({"ULA_PREFIX": network.ula_prefix} if network.ula_prefix else {}),
        **({"MAC_END": _mac(last), "IP_END": last} if leases else {}),
    }
    address_range = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in values.items())
    if leases:
        items = "".join(
            f"<LEASE><IP><![CDATA[{address}]]></IP><MAC><![CDATA[{_mac(address)}]]></MAC>"
            f"<VM><![CDATA[{vm_id}]]></VM></LEASE>"
            for address, vm_id in network.leases.items()
        )
        address_range += f"<USED_LEASES>{len(network.leases)}</USED_LEASES>"
        address_range += f"<LEASES>{items}</LEASES>" if items else "<LEASES/>"
    return (
        f"<VNET>{owner(network, books)}{lock_element(network)}{permission_elements(network)}"
        f"<CLUSTERS><ID>0</ID></CLUSTERS><BRIDGE><![CDATA[{network.bridge}]]></BRIDGE>"
        f"<BRIDGE_TYPE><![CDATA[linux]]></BRIDGE_TYPE>{states}<PARENT_NETWORK_ID/>"
        f"{'<TEMPLATE_ID/>' if release.has_plans else ''}<VN_MAD><![CDATA[bridge]]></VN_MAD><PHYDEV/>"
        "<VLAN_ID/><OUTER_VLAN_ID/><VLAN_ID_AUTOMATIC>0</VLAN_ID_AUTOMATIC>"
        "<OUTER_VLAN_ID_AUTOMATIC>0</OUTER_VLAN_ID_AUTOMATIC>"
        f"<USED_LEASES>{len(network.leases)}</USED_LEASES><VROUTERS></VROUTERS>{vms}{template.to_xml()}"
        f"<AR_POOL><AR>{address_range}</AR></AR_POOL></VNET>"
    )


def template_document(template: VmTemplate, books: Books, shown: Template | None = None) -> str:
    """Return `<VMTEMPLATE>`, with `shown` in the place of its own attributes if that is given."""
    return (
        f"<VMTEMPLATE>{owner(template, books)}{lock_element(template)}"
        f"{permission_elements(template)}<REGTIME>{template.regtime}</REGTIME>"
        f"{(shown or template.template).to_xml()}</VMTEMPLATE>"
    )


def _mac(address: str) -> str:
    return mac_of(IPv4Address(address))
