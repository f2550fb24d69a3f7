"""The attributes that only administrators may give, as `oned.conf` lists them by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from stratuslab.sandbox.opennebula.template.template import Template

_IN_ALL = """
    CONTEXT/FILES
    CPU_COST
    DEPLOY_ID
    DISK/OPENNEBULA_MANAGED DISK/ORIGINAL_SIZE DISK/READ_BYTES_SEC DISK/READ_BYTES_SEC_MAX
    DISK/READ_BYTES_SEC_MAX_LENGTH DISK/READ_IOPS_SEC DISK/READ_IOPS_SEC_MAX DISK/READ_IOPS_SEC_MAX_LENGTH
    DISK/SIZE_PREV DISK/TOTAL_BYTES_SEC DISK/TOTAL_BYTES_SEC_MAX DISK/TOTAL_BYTES_SEC_MAX_LENGTH
    DISK/TOTAL_IOPS_SEC DISK/TOTAL_IOPS_SEC_MAX DISK/TOTAL_IOPS_SEC_MAX_LENGTH DISK/WRITE_BYTES_SEC
    DISK/WRITE_BYTES_SEC_MAX DISK/WRITE_BYTES_SEC_MAX_LENGTH DISK/WRITE_IOPS_SEC DISK/WRITE_IOPS_SEC_MAX
    DISK/WRITE_IOPS_SEC_MAX_LENGTH
    DISK_COST EMULATOR MEMORY_COST
    NIC/BRIDGE NIC/EXTERNAL NIC/FILTER NIC/INBOUND_AVG_BW NIC/INBOUND_PEAK_BW NIC/INBOUND_PEAK_KB NIC/MAC
    NIC/OPENNEBULA_MANAGED NIC/OUTBOUND_AVG_BW NIC/OUTBOUND_PEAK_BW NIC/OUTBOUND_PEAK_KB NIC/VLAN_ID
    NIC_ALIAS/BRIDGE NIC_ALIAS/INBOUND_AVG_BW NIC_ALIAS/INBOUND_PEAK_BW NIC_ALIAS/INBOUND_PEAK_KB
    NIC_ALIAS/MAC NIC_ALIAS/OPENNEBULA_MANAGED NIC_ALIAS/OUTBOUND_AVG_BW NIC_ALIAS/OUTBOUND_PEAK_BW
    NIC_ALIAS/OUTBOUND_PEAK_KB NIC_ALIAS/VLAN_ID
    NIC_DEFAULT/BRIDGE NIC_DEFAULT/EXTERNAL NIC_DEFAULT/FILTER NIC_DEFAULT/MAC NIC_DEFAULT/VLAN_ID
    PCI
    TOPOLOGY/HUGEPAGE_SIZE TOPOLOGY/PIN_POLICY
    USER_INPUTS/CPU USER_INPUTS/MEMORY USER_INPUTS/VCPU
    USER_PRIORITY
"""
_OF_VCENTER = """
    DISK/VCENTER_DS_REF DISK/VCENTER_INSTANCE_ID NIC/VCENTER_INSTANCE_ID NIC/VCENTER_NET_REF
    NIC/VCENTER_PORTGROUP_TYPE NIC_ALIAS/VCENTER_INSTANCE_ID NIC_ALIAS/VCENTER_NET_REF
    NIC_ALIAS/VCENTER_PORTGROUP_TYPE VCENTER_ESX_HOST VCENTER_VM_FOLDER
"""
_SINCE_6 = "DISK/SIZE_IOPS_SEC NIC/FILTER_IP_SPOOFING NIC/FILTER_MAC_SPOOFING RAW/DATA"

IN_5_12 = (*_IN_ALL.split(), *_OF_VCENTER.split(), "NIC_ALIAS/EXTERNAL", "RAW")
IN_6_10 = (*_IN_ALL.split(), *_OF_VCENTER.split(), *_SINCE_6.split())
IN_7_4 = (*_IN_ALL.split(), *_SINCE_6.split(), "NIC/VLAN_TAGGED_ID")


def first_restricted(template: Template, restricted: Collection[str]) -> str | None:
    """Return the first attribute of a template, or part of one, that is restricted; None if there is none."""
    for name, parts in _by_name(restricted):
        if not parts and any(isinstance(value, str) for value in template.values(name)):
            return name
        for vector in template.vectors(name):
            for part in parts:
                if part in vector:
                    return part
    return None


def first_changed(changes: Template, base: Template, restricted: Collection[str]) -> str | None:
    """Return the first attribute in `changes` whose restricted parts are others than in the template `base`.

    An attribute that only the base has is no change. Return None if nothing restricted changes.
    """
    for name, parts in _by_name(restricted):
        if not parts:
            given = [value for value in changes.values(name) if isinstance(value, str)]
            if given and given[0] != base.single(name):
                return name
        elif changes.vectors(name) and _parts(changes, name, parts) != _parts(base, name, parts):
            return name
    return None


def _by_name(restricted: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for attribute in restricted:
        name, _, part = attribute.partition("/")
        names.setdefault(name, []).extend([part] if part else [])
    for name in sorted(names):
        yield name, sorted(names[name])


def _parts(template: Template, name: str, parts: list[str]) -> list[tuple[str, str]]:
    return sorted(
        (part, vector[part]) for vector in template.vectors(name) for part in parts if part in vector
    )
