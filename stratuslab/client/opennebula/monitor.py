"""Looking at VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.client.errors import DuplicateError, InvalidArgumentError
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.vm import VirtualMachine, checked_vm_id
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.transport.entry_reader import EntryReader
from stratuslab.client.transport.xml_document import DocumentError, parse

if TYPE_CHECKING:
    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["Monitor"]

_POOL = frozenset({"VM_POOL"})
_ANY_STATE = -2


class Monitor:
    """Reads the VMs of one cloud.

    Every method makes one call and may raise any :class:`~stratuslab.client.errors.StratusLabError`.

    :param rpc: a connection to OpenNebula that is shared; None for one of its own.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc | None = None) -> None:
        self._rpc = rpc or Rpc(cloud)
        self.newest_id: int | None = None

    def close(self) -> None:
        """Close the connections. Another call makes new ones."""
        self._rpc.close()

    def list_vms(self, *, all_users: bool = False, details: bool = False) -> list[VirtualMachine]:
        """Return the VMs that are not done, by ascending id (``one.vmpool.info``).

        They are the user's own, or all that the user may see. From OpenNebula 6.0 on the short list leaves
        out what only the long one says, ``one.vmpool.infoextended``, which ``details`` asks for; 5.12 is
        always asked for that.
        """
        front_end = self._rpc.front_end
        scope = front_end.everybodys if all_users else front_end.mine
        return self._list(front_end.detailed_list_call if details else front_end.list_call, *scope)

    def list_between(self, first: int, last: int) -> list[VirtualMachine]:
        """Return the VMs from one id to another that are not done, with all that is known of them.

        Only from OpenNebula 5.12 on (``one.vmpool.infoextended``).
        """
        owner, *_, state = self._rpc.front_end.everybodys
        return self._list(self._rpc.front_end.detailed_list_call, owner, first, last, state)

    def _list(self, method: str, *scope: int) -> list[VirtualMachine]:
        vms: list[VirtualMachine] = []

        def entries() -> EntryReader:
            vms.clear()
            return EntryReader("VM", lambda vm: vms.append(VirtualMachine.from_element(vm)), roots=_POOL)

        self._rpc.call_for_entries(method, *scope, entries=entries)
        # Each once: that a token stands in the list twice has to mean two VMs.
        listed = sorted({vm.id: vm for vm in vms}.values(), key=lambda vm: vm.id)
        self.saw(listed[-1].id if listed else None)
        return listed

    def saw(self, vm_id: int | None) -> None:
        """Keep the highest id that the cloud has shown: those of later VMs are higher."""
        if vm_id is not None and (self.newest_id is None or vm_id > self.newest_id):
            self.newest_id = vm_id

    def describe_vm(self, vm_id: int) -> VirtualMachine:
        """Return one VM, also when it is done (``one.vm.info``).

        :raises NotFoundError: if there never was such a VM.
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
                self.saw(vm_id)
                return vm
            problem = f"it is about VM {vm.id}"
        raise self._rpc.malformed(operation, problem)

    def find_vm(self, token: str, *, above: int | None = None) -> VirtualMachine | None:
        """Return the user's VM that was started with a token, unless it is done (``one.vmpool.info``).

        From OpenNebula 5.12 on, a VM that is done is found too (``one.vmpool.infoextended``) if no other has
        the token, the newest one; and only VMs with an id higher than ``above`` are asked for: an id that was
        known before the VM was started.

        :raises InvalidArgumentError: for an invalid token.
        :raises DuplicateError: if several VMs that are not done have the token.
        """
        if not isinstance(token, str) or not token:
            raise InvalidArgumentError(
                f"found {token!r}; give the text that a VM was marked with", argument="token"
            )
        front_end = self._rpc.front_end
        if front_end.marks_found_by_id:
            first = -1 if above is None else above + 1
            vms = self._list(front_end.detailed_list_call, front_end.mine[0], first, -1, _ANY_STATE)
        else:
            vms = self.list_vms()
        bearers = [vm for vm in vms if vm.token == token]
        # A token may be used again once its VM is done: those use nothing any more.
        found = [vm for vm in bearers if vm.state is not VmState.TERMINATED]
        if len(found) > 1:
            ids = [str(vm.id) for vm in found]
            raise DuplicateError(
                f"the VMs {' and '.join(ids)} have the token {token}: a request was delivered twice; "
                "destroy all of them but one",
                location=self._rpc.cloud.location,
                operation="one.vmpool.info",
                token=token,
                ids=ids,
            )
        return next(iter(found), bearers[-1] if bearers else None)
