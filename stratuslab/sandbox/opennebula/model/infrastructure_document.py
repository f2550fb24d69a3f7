"""The XML of hosts and virtual networks in the answers of OpenNebula 3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import owner_elements, permission_elements
from stratuslab.sandbox.opennebula.model.networks import mac_of
from stratuslab.sandbox.opennebula.model.scheduler import capacity_of
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler


def host_document(host: Host, scheduler: Scheduler, now: float) -> str:
    """Return `<HOST>`: a monitored KVM host with its VMs, which do not use what they have."""
    cpu, memory = host.capacity.cpu, host.capacity.memory
    vms = scheduler.vms_on(host)
    taken = capacity_of(vms)
    measured = {
        "CPUSPEED": "2200",
        "FREECPU": str(cpu),
        "FREEMEMORY": str(memory),
        "HOSTNAME": host.name,
        "HYPERVISOR": "kvm",
        "TOTALCPU": str(cpu),
        "TOTALMEMORY": str(memory),
        "USEDCPU": "0",
        "USEDMEMORY": "0",
    }
    return (
        f"<HOST><ID>{host.id}</ID><NAME>{host.name}</NAME><STATE>2</STATE>"
        f"<IM_MAD>{host.im_mad}</IM_MAD><VM_MAD>{host.vm_mad}</VM_MAD>"
        f"<VN_MAD>{host.vn_mad}</VN_MAD><TM_MAD>{host.tm_mad}</TM_MAD>"
        f"<LAST_MON_TIME>{int(now)}</LAST_MON_TIME><HOST_SHARE>"
        f"<DISK_USAGE>0</DISK_USAGE><MEM_USAGE>{taken.memory}</MEM_USAGE><CPU_USAGE>{taken.cpu}</CPU_USAGE>"
        f"<MAX_DISK>0</MAX_DISK><MAX_MEM>{memory}</MAX_MEM><MAX_CPU>{cpu}</MAX_CPU>"
        f"<FREE_DISK>0</FREE_DISK><FREE_MEM>{memory}</FREE_MEM><FREE_CPU>{cpu}</FREE_CPU>"
        "<USED_DISK>0</USED_DISK><USED_MEM>0</USED_MEM><USED_CPU>0</USED_CPU>"
        f"<RUNNING_VMS>{len(vms)}</RUNNING_VMS></HOST_SHARE>"
        f"{Template(list(measured.items())).to_xml()}</HOST>"
    )


def network_document(network: VirtualNetwork, *, leases: bool) -> str:
    """Return `<VNET>`, with all addresses that are in use if that is asked for."""
    used = "".join(
        f"<LEASE><IP>{address}</IP><MAC>{mac_of(address)}</MAC><USED>1</USED><VID>{vm_id}</VID></LEASE>"
        for address, vm_id in sorted(network.leases.items())
    )
    return (
        f"<VNET>{owner_elements(network, network.owner.uname, network.owner.gname)}"
        f"{permission_elements(network)}"
        f"<TYPE>0</TYPE><BRIDGE>{network.bridge}</BRIDGE><VLAN>0</VLAN><PHYDEV/><VLAN_ID/>"
        f"<RANGE><IP_START>{network.first}</IP_START><IP_END>{network.last}</IP_END></RANGE>"
        f"<TOTAL_LEASES>{len(network.leases)}</TOTAL_LEASES><TEMPLATE></TEMPLATE>"
        f"{f'<LEASES>{used}</LEASES>' if leases else ''}</VNET>"
    )
