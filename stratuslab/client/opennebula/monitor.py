"""Looking at VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.client.errors import DuplicateError, InvalidArgumentError
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.vm import VirtualMachine, checked_vm_id
from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["Monitor"]

_POOL = frozenset({"VM_POOL"})


class Monitor:
    """The VMs of one cloud, to look at.

    Every method makes one call and may raise any
    :class:`~stratuslab.client.errors.StratusLabError`. ``rpc`` is the way to OpenNebula, if it is shared.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc | None = None) -> None:
        self._rpc = rpc or Rpc(cloud)
        self._front_end = STRATUSLAB_14_06

    def close(self) -> None:
        """Close the connections. Another call makes new ones."""
        self._rpc.close()

    def list_vms(self, *, all_users: bool = False) -> list[VirtualMachine]:
        """Return the VMs that are not done, by ascending id (``one.vmpool.info``).

        They are the user's own, or all that the user may see.
        """
        vms: list[VirtualMachine] = []

        def entries() -> EntryReader:
            vms.clear()
            return EntryReader("VM", lambda vm: vms.append(VirtualMachine.from_element(vm)), roots=_POOL)

        scope = self._front_end.everybodys if all_users else self._front_end.mine
        self._rpc.call_for_entries("one.vmpool.info", *scope, entries=entries)
        vms.sort(key=lambda vm: vm.id)
        return vms

    def describe_vm(self, vm_id: int) -> VirtualMachine:
        """Return one VM, also when it is done (``one.vm.info``).

        Raises :class:`~stratuslab.client.errors.NotFoundError` if there never was such a VM.
        """
        operation = "one.vm.info"
        try:
            root = parse(self._rpc.call_for_text(operation, checked_vm_id(vm_id)))
            if root.tag != "VM":
                raise DocumentError(f"it is a <{root.tag}>")
            vm = VirtualMachine.from_element(root)
        except DocumentError as error:
            problem = str(error)
        else:
            if vm.id == vm_id:
                return vm
            problem = f"it is about VM {vm.id}"
        raise self._rpc.malformed(operation, problem)

    def find_vm(self, token: str) -> VirtualMachine | None:
        """Return the user's VM that was started with a token, unless it is done (``one.vmpool.info``).

        Raises :class:`~stratuslab.client.errors.InvalidArgumentError` for what is no token, and
        :class:`~stratuslab.client.errors.DuplicateError` if several VMs bear it.
        """
        if not isinstance(token, str) or not token:
            raise InvalidArgumentError(f"the token: found {token!r}; give the text that a VM was marked with")
        found = [vm for vm in self.list_vms() if vm.token == token]
        if len(found) > 1:
            ids = [str(vm.id) for vm in found]
            raise DuplicateError(
                f"the VMs {' and '.join(ids)} bear the token {token}: a request was delivered twice; "
                "destroy all of them but one",
                location=self._rpc.cloud.location,
                operation="one.vmpool.info",
                token=token,
                ids=ids,
            )
        return found[0] if found else None
