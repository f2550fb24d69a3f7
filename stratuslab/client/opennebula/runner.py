"""Starting and ending VMs."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from stratuslab.client.errors import StratusLabError, UnsettledError, outcome_unknown
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06
from stratuslab.client.opennebula.rpc import Rpc
from stratuslab.client.opennebula.vm import LAST_VM_ID, checked_vm_id
from stratuslab.client.transport.settlement import grace_after, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.client.configuration.cloud import Cloud, InstanceType
    from stratuslab.client.opennebula.vm_template import VmTemplate

__all__ = ["Runner", "VmAction"]

logger = logging.getLogger(__name__)

VmAction = Literal["destroy", "shutdown", "reboot", "stop", "suspend", "start"]


class Runner:
    """The VMs of one cloud, to start, change and end.

    Every method makes one call unless it says more, and may raise any
    :class:`~stratuslab.client.errors.StratusLabError`. ``rpc`` is the way to OpenNebula, if it is shared.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc | None = None) -> None:
        self._cloud = cloud
        self._rpc = rpc or Rpc(cloud)
        self._monitor = Monitor(cloud, self._rpc)
        self._front_end = STRATUSLAB_14_06

    @property
    def instance_types(self) -> Mapping[str, InstanceType]:
        """The sizes of VMs that the configuration knows, by name."""
        return self._cloud.instance_types

    @property
    def default_instance_type(self) -> InstanceType:
        """The size for those who name none."""
        return self._cloud.instance_types[self._cloud.default_instance_type]

    def run_instance(self, template: VmTemplate) -> int:
        """Start a VM and return its id (``one.vm.allocate``, never sent twice).

        The VM is marked with the template's ``token``, or with a new one. When the answer is lost, the
        VM is looked for by it (``one.vmpool.info``) for as long as the request may be under way: the
        time-out once more, or once after a status of 3xx or 4xx. Raises
        :class:`~stratuslab.client.errors.InvalidArgumentError` before anything is sent, and
        :class:`~stratuslab.client.errors.UnsettledError`, with the token, if the VM was not found and may
        still appear. An interruption (``KeyboardInterrupt``) goes through, and the token into the log.
        """
        token = template.token or uuid.uuid4().hex
        text = replace(template, token=token).text(self._front_end)
        try:
            return self._allocate_or_find(text, token)
        except StratusLabError:
            raise
        except BaseException:
            logger.warning(
                "location %r: one.vm.allocate was interrupted; there may be a VM with the token %s",
                self._cloud.location,
                token,
            )
            raise

    def _allocate_or_find(self, text: str, token: str) -> int:
        try:
            return self._allocate(text)
        except StratusLabError as error:
            grace = grace_after(error, self._cloud.timeout)
            vm = None if grace is None else settle(lambda: self._monitor.find_vm(token), grace)
            if vm is not None:
                return vm.id
            if not outcome_unknown(error):
                raise
            raise UnsettledError(
                f"{error.message}; no VM with the token {token} has appeared, but it may: "
                "look for it by ex_find_node before you start another",
                location=error.location,
                operation=error.operation,
                token=token,
            ) from error

    def _allocate(self, text: str) -> int:
        operation = "one.vm.allocate"
        value = self._rpc.call(operation, text, repeatable=False)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._rpc.malformed(operation, f"the VM's id is of the type {type(value).__name__}")
        if not 0 <= value <= LAST_VM_ID:
            raise self._rpc.malformed(operation, f"the VM's id is {value}")
        return value

    def kill_instance(self, vm_id: int) -> None:
        """End a VM at once, in whatever state it is; again is no error (``one.vm.action``)."""
        self.act(vm_id, "destroy")

    def shutdown_instance(self, vm_id: int) -> None:
        """Ask the guest to shut down; it may not listen (``one.vm.action``).

        Raises :class:`~stratuslab.client.errors.ConflictError` unless the VM is running.
        """
        self.act(vm_id, "shutdown")

    def act(self, vm_id: int, action: VmAction) -> None:
        """Change a VM's life (``one.vm.action``).

        Raises :class:`~stratuslab.client.errors.ConflictError` if its state does not allow it.
        """
        word = {
            "destroy": self._front_end.destroy,
            "shutdown": self._front_end.shutdown,
            "reboot": self._front_end.reboot,
            "stop": self._front_end.stop,
            "suspend": self._front_end.suspend,
            "start": self._front_end.start,
        }[action]
        self._rpc.call("one.vm.action", word, checked_vm_id(vm_id), repeatable=action == "destroy")
