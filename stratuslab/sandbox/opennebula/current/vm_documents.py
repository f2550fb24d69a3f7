"""The XML of VMs in OpenNebula's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.objects import GROUPS
from stratuslab.sandbox.opennebula.model.documents import owner_elements, permission_elements
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import PoolObject, Snapshots, Vm
    from stratuslab.sandbox.opennebula.model.history import HistoryRecord
    from stratuslab.sandbox.opennebula.releases import Release

_SHORT_DISK = (
    "DISK_ID", "DATASTORE", "DATASTORE_ID", "IMAGE", "IMAGE_ID", "SIZE", "TYPE", "CLONE", "CLONE_TARGET",
    "LN_TARGET", "DISK_SNAPSHOT_TOTAL_SIZE",
)  # fmt: skip
_SHORT_NIC = ("ALIAS_ID", "IP", "IP6", "IP6_GLOBAL", "IP6_ULA", "MAC", "NETWORK", "NETWORK_ID", "NIC_ID",
    "PARENT_ID", "SECURITY_GROUPS")  # fmt: skip
_SHORT_USER = ("LABELS", "SCHED_RANK", "RANK", "ERROR", "SCHED_MESSAGE", "SCHED_REQUIREMENTS")
_BACKUPS = "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS>"


def owner(item: PoolObject, books: Books) -> str:
    """Return the elements from ID to NAME."""
    return owner_elements(item, books.uname(item.uid), GROUPS[item.gid])


def lock_element(item: PoolObject) -> str:
    """Return LOCK, nothing if the object is not locked."""
    if not item.lock:
        return ""
    return (
        f"<LOCK><LOCKED>{item.lock}</LOCKED><OWNER>{item.uid}</OWNER><TIME>{item.locked_at}</TIME>"
        "<REQ_ID>0</REQ_ID></LOCK>"
    )


def vm_document(vm: Vm, books: Books, release: Release) -> str:
    """Return `<VM>` with all that there is, as `one.vm.info` does."""
    history = "".join(_stay(vm, stay, release) for stay in vm.history)
    snapshots = "".join(
        snapshot_elements(snapshots, f"<DISK_ID><![CDATA[{disk_id}]]></DISK_ID>")
        for disk_id, snapshots in sorted(vm.disk_snapshots.items())
    )
    return (
        f"<VM>{owner(vm, books)}{permission_elements(vm)}{lock_element(vm)}<LAST_POLL>0</LAST_POLL>"
        f"<STATE>{vm.state:d}</STATE><LCM_STATE>{vm.lcm_state:d}</LCM_STATE>"
        f"<PREV_STATE>{vm.state:d}</PREV_STATE><PREV_LCM_STATE>{vm.lcm_state:d}</PREV_LCM_STATE>"
        f"<RESCHED>0</RESCHED><STIME>{vm.stime}</STIME><ETIME>{vm.etime}</ETIME>"
        f"<DEPLOY_ID>{vm.deploy_id}</DEPLOY_ID><MONITORING></MONITORING>"
        f"{'<SCHED_ACTIONS></SCHED_ACTIONS>' if release.has_backups else ''}"
        f"{vm.template.to_xml()}{vm.user_template.to_xml('USER_TEMPLATE')}"
        f"{f'<HISTORY_RECORDS>{history}</HISTORY_RECORDS>' if history else '<HISTORY_RECORDS/>'}"
        f"{snapshots}{_BACKUPS if release.has_backups else ''}</VM>"
    )


def short_vm_document(vm: Vm, books: Books, release: Release) -> str:
    """Return `<VM>` as `one.vmpool.info` does: without CONTEXT, aliases and most of the attributes."""
    parts = Template(
        [
            *(
                ("DISK", {name: disk.get(name, "") for name in _SHORT_DISK})
                for disk in vm.template.vectors("DISK")
            ),
            *(("GRAPHICS", graphics) for graphics in vm.template.vectors("GRAPHICS")),
            *(("NIC", _only(nic, _SHORT_NIC)) for nic in vm.template.vectors("NIC")),
        ]
    )
    numbers = ["CPU", "MEMORY", *["VCPU"] * release.vcpu_in_short_list]
    plain = "".join(f"<{name}>{vm.template.single(name)}</{name}>" for name in numbers)
    user = Template([item for item in vm.user_template.attributes if item[0] in _SHORT_USER])
    user_template = user.to_xml("USER_TEMPLATE")
    if release.has_plans and not user.attributes:
        user_template = "<USER_TEMPLATE/>"
    history = "".join(_short_stay(vm, stay, release) for stay in vm.history[-1:])
    return (
        f"<VM>{owner(vm, books)}{lock_element(vm)}<LAST_POLL>0</LAST_POLL>"
        f"<STATE>{vm.state:d}</STATE><LCM_STATE>{vm.lcm_state:d}</LCM_STATE><RESCHED>0</RESCHED><STIME>{vm.stime}</STIME>"
        f"<ETIME>{vm.etime}</ETIME><DEPLOY_ID>{vm.deploy_id}</DEPLOY_ID><TEMPLATE>{plain}{parts.elements()}</TEMPLATE>"
        f"<MONITORING/>{user_template}"
        f"{f'<HISTORY_RECORDS>{history}</HISTORY_RECORDS>' if history else '<HISTORY_RECORDS/>'}</VM>"
    )


def snapshot_elements(snapshots: Snapshots, disk_id: str = "") -> str:
    """Return SNAPSHOTS of a disk or an image; for a disk, `disk_id` is the element with its id."""
    if not snapshots.is_known:
        return "<SNAPSHOTS></SNAPSHOTS>"
    items = []
    for snapshot in snapshots.snapshots:
        values = {
            "ACTIVE": "YES" if snapshot.id == snapshots.active else None,
            "CHILDREN": ",".join(map(str, snapshots.children(snapshot.id))) or None,
            "DATE": str(snapshot.date),
            "ID": str(snapshot.id),
            "NAME": snapshot.name,
            "PARENT": str(snapshot.parent),
            "SIZE": str(snapshot.size),
        }
        present = {name: value for name, value in values.items() if value is not None}
        items.append(Template([("SNAPSHOT", present)]).elements())
    return (
        "<SNAPSHOTS><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS><CURRENT_BASE><![CDATA[-1]]></CURRENT_BASE>"
        f"{disk_id}<NEXT_SNAPSHOT><![CDATA[{snapshots.next_id}]]></NEXT_SNAPSHOT>{''.join(items)}</SNAPSHOTS>"
    )


def _only(vector: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in vector.items() if name in names}


def _stay(vm: Vm, stay: HistoryRecord, release: Release) -> str:
    plan = "<PLAN_ID>-1</PLAN_ID><ACTION_ID>0</ACTION_ID>" if release.has_plans else ""
    return (
        f"<HISTORY><OID>{vm.id}</OID><SEQ>{stay.seq}</SEQ><HOSTNAME>{stay.hostname}</HOSTNAME>"
        f"<HID>{stay.hid}</HID><CID>0</CID><STIME>{stay.stime}</STIME><ETIME>{stay.etime}</ETIME>"
        "<VM_MAD><![CDATA[kvm]]></VM_MAD><TM_MAD><![CDATA[ssh]]></TM_MAD><DS_ID>0</DS_ID>"
        f"{plan}<PSTIME>{stay.prolog_stime}</PSTIME><PETIME>{stay.prolog_etime}</PETIME>"
        f"<RSTIME>{stay.running_stime}</RSTIME><RETIME>{stay.running_etime}</RETIME>"
        f"<ESTIME>{stay.epilog_stime}</ESTIME><EETIME>{stay.epilog_etime}</EETIME>"
        f"<ACTION>{stay.action}</ACTION><UID>{stay.uid}</UID><GID>{stay.gid}</GID>"
        "<REQUEST_ID>-1</REQUEST_ID></HISTORY>"
    )


def _short_stay(vm: Vm, stay: HistoryRecord, release: Release) -> str:
    drivers = "<VM_MAD><![CDATA[kvm]]></VM_MAD><TM_MAD><![CDATA[ssh]]></TM_MAD>"
    return (
        f"<HISTORY><OID>{vm.id}</OID><SEQ>{stay.seq}</SEQ><HOSTNAME><![CDATA[{stay.hostname}]]></HOSTNAME>"
        f"<HID>{stay.hid}</HID><CID>0</CID><DS_ID>0</DS_ID>"
        f"{drivers if release.vcpu_in_short_list else ''}"
        f"<ACTION><![CDATA[{stay.action}]]></ACTION></HISTORY>"
    )
