"""The XML of virtual machines in the answers of OpenNebula 3.2, byte for byte.

Nothing outside of TEMPLATE is escaped, as OpenNebula does not escape it.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import owner_elements, permission_elements, pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stratuslab.sandbox.opennebula.model.history import HistoryRecord
    from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine

_NUMBER = r"(<{name}>\s*)(\d+)"


def document(vm: VirtualMachine) -> str:
    """Return `<VM>` with all history records, as one.vm.info does."""
    return _document(vm, vm.history)


def pool_document(vms: Iterable[VirtualMachine]) -> str:
    """Return `<VM_POOL>`, each VM with its last history record only, as one.vmpool.info does."""
    return pool("VM_POOL", (_document(vm, vm.history[-1:]) for vm in vms))


def number(document: str, name: str) -> int | None:
    """Return the number in the first element of that name; None without such an element."""
    match = re.search(_NUMBER.format(name=name), document)
    return None if match is None else int(match[2])


def _document(vm: VirtualMachine, records: Sequence[HistoryRecord]) -> str:
    if vm.literal:
        states = {"STATE": vm.state, "LCM_STATE": vm.lcm_state}
        return functools.reduce(_with_number, states.items(), vm.literal)
    history = "".join(map(_record, records))
    return (
        f"<VM>{owner_elements(vm, vm.owner.uname, vm.owner.gname)}{permission_elements(vm)}"
        f"<LAST_POLL>{vm.last_poll}</LAST_POLL><STATE>{vm.state:d}</STATE><LCM_STATE>{vm.lcm_state:d}</LCM_STATE>"
        f"<STIME>{vm.stime}</STIME><ETIME>{vm.etime}</ETIME><DEPLOY_ID>{vm.deploy_id}</DEPLOY_ID>"
        f"<MEMORY>{vm.memory}</MEMORY><CPU>{vm.cpu}</CPU><NET_TX>0</NET_TX><NET_RX>0</NET_RX>"
        f"{vm.template.to_xml()}"
        f"{f'<HISTORY_RECORDS>{history}</HISTORY_RECORDS>' if history else '<HISTORY_RECORDS/>'}</VM>"
    )


def _with_number(document: str, element: tuple[str, int]) -> str:
    name, value = element
    return re.sub(_NUMBER.format(name=name), rf"\g<1>{value:d}", document, count=1)


def _record(record: HistoryRecord) -> str:
    return (
        f"<HISTORY><SEQ>{record.seq}</SEQ><HOSTNAME>{record.hostname}</HOSTNAME><VM_DIR>/var/lib/one/</VM_DIR>"
        f"<HID>{record.hid}</HID><STIME>{record.stime}</STIME><ETIME>{record.etime}</ETIME>"
        "<VMMMAD>vmm_kvm</VMMMAD><VNMMAD>dummy</VNMMAD><TMMAD>tm_stratuslab</TMMAD>"
        f"<PSTIME>{record.prolog_stime}</PSTIME><PETIME>{record.prolog_etime}</PETIME>"
        f"<RSTIME>{record.running_stime}</RSTIME><RETIME>{record.running_etime}</RETIME>"
        f"<ESTIME>{record.epilog_stime}</ESTIME><EETIME>{record.epilog_etime}</EETIME>"
        f"<REASON>{record.reason:d}</REASON></HISTORY>"
    )
