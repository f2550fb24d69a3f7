"""Starting and ending VMs."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.client.errors import (
    DuplicateError,
    NotFoundError,
    StratusLabError,
    UnsettledError,
)
from stratuslab.client.opennebula.launch import Launch
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.orders import Orders, VmAction
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.vm import LAST_VM_ID, VirtualMachine, checked_vm_id
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.transport.settlement import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.client.configuration.cloud import Cloud, InstanceType
    from stratuslab.client.opennebula.vm_template import VmTemplate

__all__ = ["Runner", "VmAction"]

logger = logging.getLogger(__name__)


class Runner:
    """Starts, changes and ends the VMs of one cloud.

    Every method makes one call unless it says more, and may raise any
    :class:`~stratuslab.client.errors.StratusLabError`.

    :param rpc: a connection to OpenNebula that is shared; None for one of its own.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc | None = None, monitor: Monitor | None = None) -> None:
        self._cloud = cloud
        self._rpc = rpc or Rpc(cloud)
        self._monitor = monitor or Monitor(cloud, self._rpc)
        self._orders = Orders(cloud, self._rpc, self._monitor)

    def close(self) -> None:
        """Close the connections. Another call makes new ones."""
        self._rpc.close()

    @property
    def instance_types(self) -> Mapping[str, InstanceType]:
        """The sizes of VMs that the configuration knows, by name."""
        return self._cloud.instance_types

    @property
    def default_instance_type(self) -> InstanceType:
        """The size for those who name none."""
        return self._cloud.instance_types[self._cloud.default_instance_type]

    def run_instance(self, template: VmTemplate) -> int:
        """Start a VM and return its id: :meth:`start_vm` without what is known of it."""
        return self.start_vm(template).id

    def start_vm(self, template: VmTemplate) -> VirtualMachine:
        """Start a VM and return it (``one.vm.allocate``, never sent twice, then ``one.vm.info``).

        The VM is marked with the template's ``token``, or with a new one. If a VM of the user has a given
        ``token`` already and is not done, it is returned, and nothing is started (``one.vmpool.info`` first,
        and once more in the place of ``one.vm.info``: a proxy may deliver a request twice).

        When the answer is lost, or is not about a VM of this token, the VM is looked for
        (``one.vmpool.info``) for as long as the request may be under way: the time-out once more, or once
        after a status of 3xx or 4xx. A VM that cannot be described is returned with only its id and name.

        An interruption (``KeyboardInterrupt``) is passed on, and what is known is written to the log.

        :raises InvalidArgumentError: for a wrong value, before anything is sent.
        :raises UnsettledError: which holds the token, if the VM was not found and may still appear.
        :raises DuplicateError: if several VMs have the token.
        """
        token = template.token or uuid.uuid4().hex
        text = replace(template, token=token).text(self._rpc.front_end)
        launch = Launch("one.vm.allocate", (text,), token, template.name)
        return self.started(template.token) or self.start(launch, own_token=template.token is not None)

    def started(self, token: str | None) -> VirtualMachine | None:
        """Return the VM that was started with the user's own token; None without such a VM or token.

        Calls ``one.vmpool.info`` if one is given. A VM that is done does not count.
        """
        vm = self._monitor.find_vm(token) if token else None
        return None if vm is None or vm.state is VmState.TERMINATED else vm

    def start(self, launch: Launch, *, own_token: bool) -> VirtualMachine:
        """Send the call that starts a VM, once, and return the VM; see :meth:`start_vm`.

        With the caller's ``own_token`` the VM is looked for by it: so one that was made twice is seen.
        """
        token, newest = launch.token, self._monitor.newest_id
        try:
            found = self._started_or_found(launch, newest)
        except StratusLabError:
            raise
        except BaseException:
            logger.warning(
                "location %r: %s was interrupted; there may be a VM with the token %s",
                self._cloud.location,
                launch.method,
                token,
            )
            raise
        if isinstance(found, VirtualMachine):
            return found
        return (own_token and self._only_one(token, newest)) or self._described(found, launch)

    def _only_one(self, token: str, newest: int | None) -> VirtualMachine | None:
        """Return the VM of a token as the list has it, None where the list does not tell."""
        try:
            return self._monitor.find_vm(token, above=newest)
        except DuplicateError:
            raise
        except StratusLabError:
            return None

    def _started_or_found(self, launch: Launch, newest: int | None) -> VirtualMachine | int:
        try:
            return self._started(launch)
        except StratusLabError as error:
            return self._found(launch.token, error, newest)

    def _started(self, launch: Launch) -> int:
        operation = launch.method
        value = self._rpc.call(operation, *launch.arguments, changes=True, repeatable=False)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._rpc.malformed(operation, f"the VM's id is of the type {type(value).__name__}")
        if not 0 <= value <= LAST_VM_ID:
            raise self._rpc.malformed(operation, f"the VM's id is {value}")
        return value

    def _found(self, token: str, error: StratusLabError, newest: int | None) -> VirtualMachine:
        """Return the VM of a token; if there is none, raise the error, or that it may still appear."""
        vm = settled(error, lambda: self._monitor.find_vm(token, above=newest), self._cloud.timeout)
        if vm is not None:
            return vm
        raise UnsettledError(
            f"{error.message}; no VM with the token {token} has appeared, but it may: "
            "look for it with ex_find_node before you start another",
            location=error.location,
            operation=error.operation,
            token=token,
        ) from error

    def _described(self, vm_id: int, launch: Launch) -> VirtualMachine:
        """Return what the cloud knows of the VM that it says it has started.

        A cloud knows a new VM: if it does not, or has another token, the answer was to an earlier call.
        """
        vm: VirtualMachine | None = None
        try:
            vm = self._monitor.describe_vm(vm_id)
        except NotFoundError:
            pass
        except StratusLabError as error:
            logger.warning("VM %d was started, but its details could not be read: %s", vm_id, error)
            return VirtualMachine.accepted(vm_id, launch.name)
        except BaseException:
            logger.warning(
                "location %r: VM %d was started, then create_node interrupted", self._cloud.location, vm_id
            )
            raise
        if vm is not None and vm.token == launch.token:
            return vm
        wrong = self._rpc.malformed(launch.method, f"no VM {vm_id} has the token that was sent")
        return self._found(launch.token, wrong, None)

    def kill_instance(self, vm_id: int) -> None:
        """End a VM at once, in any state; repeating this is no error (``one.vm.action``)."""
        self.act(vm_id, "destroy")

    def shutdown_instance(self, vm_id: int) -> None:
        """Ask the guest to shut down; it may ignore that (``one.vm.action``).

        :raises ConflictError: unless the VM is running.
        """
        self.act(vm_id, "shutdown")

    def act(self, vm_id: int, action: VmAction) -> None:
        """Change a VM's life (``one.vm.action``).

        From OpenNebula 5.12 on, it is done when it is seen to be done, see
        :mod:`stratuslab.client.opennebula.orders`.

        :raises ConflictError: if its state does not allow it.
        """
        self._orders.give(checked_vm_id(vm_id), action)
