"""OpenNebula's core at one location: the requests of 3.2 which a StratusLab client makes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratuslab.sandbox.infrastructure_document import (
    host_document,
    network_document,
    network_document_with_leases,
)
from stratuslab.sandbox.life_cycle import LifeCycle, UnknownActionError, WrongStateError
from stratuslab.sandbox.one_request import Arguments, ErrorCode, FaultCode, RequestError, Selection
from stratuslab.sandbox.scheduler import Scheduler
from stratuslab.sandbox.table import Table
from stratuslab.sandbox.template import Template
from stratuslab.sandbox.users import ONEADMIN, UserPool
from stratuslab.sandbox.virtual_machine import LcmState, VirtualMachine, VmState
from stratuslab.sandbox.vm_allocation import AllocationError, RestrictedAttributeError, allocate
from stratuslab.sandbox.vm_document import document, number, pool_document
from stratuslab.sandbox.xmlrpc_call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.hosts import Host
    from stratuslab.sandbox.networks import VirtualNetwork
    from stratuslab.sandbox.transfer_manager import TransferManager
    from stratuslab.sandbox.users import User
    from stratuslab.sandbox.xmlrpc_call import Result, Value

_Request = tuple[str, "Callable[[User, Arguments], str | int]"]

_ANY_STATE = -2
_NOT_DONE = -1
_VM = "vm"


@dataclass
class OnedState:
    """Everything that an OpenNebula knows."""

    hosts: Sequence[Host]
    networks: Sequence[VirtualNetwork]
    users: UserPool = field(default_factory=UserPool)
    vms: Table[int, VirtualMachine] = field(default_factory=Table)
    next_ids: Table[str, int] = field(default_factory=lambda: Table({_VM: 0}))

    def recover_leases(self) -> None:
        """Work out from the VMs which addresses are leased."""
        for network in self.networks:
            network.recover(self.vms.values())


class Oned:
    """An OpenNebula 3.2. Thread-safe.

    Users come with their first call. Besides the calls there are methods by which a test puts VMs into
    places where no call can put them; those raise KeyError for a VM that does not exist. Hold `lock`
    (re-entrant) to look at `state`.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        networks: Sequence[VirtualNetwork],
        clock: Clock,
        transfer_manager: TransferManager,
        boot_seconds: float,
    ) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.state = OnedState(hosts, networks)
        self._scheduler = Scheduler(hosts, self.state.vms)
        self._life_cycle = LifeCycle(
            self.state.vms, self._scheduler, networks, transfer_manager, boot_seconds
        )
        self._requests: dict[str, _Request] = {
            "one.vm.allocate": ("VirtualMachineAllocate", self._allocate_vm),
            "one.vm.action": ("VirtualMachineAction", self._act_on_vm),
            "one.vm.info": ("VirtualMachineInfo", self._show_vm),
            "one.vmpool.info": ("VirtualMachinePoolInfo", self._list_vms),
            "one.host.info": ("HostInfo", self._show_host),
            "one.hostpool.info": ("HostPoolInfo", self._list_hosts),
            "one.vn.info": ("VirtualNetworkInfo", self._show_network),
            "one.vnpool.info": ("VirtualNetworkPoolInfo", self._list_networks),
            "one.image.info": ("ImageInfo", self._show_image),
            "one.imagepool.info": ("ImagePoolInfo", self._list_images),
        }

    def call(self, method: str, arguments: Sequence[Value], user: str | None) -> list[Result]:
        """Carry out a call; `arguments` are those after the session, `user` is the plain login name.

        Without a user the call counts as made with a wrong password. Returns [True, value, 0] or
        [False, text, code]; raises XmlRpcError for a wrong method or arguments of the wrong number or type.
        """
        if method not in self._requests:
            raise XmlRpcError(FaultCode.NO_SUCH_METHOD, f"Method '{method}' not defined")
        name, request = self._requests[method]
        with self.lock:
            self.advance()
            try:
                value = request(self._authenticated(user), Arguments(arguments))
            except RequestError as error:
                return [False, f"[{name}] {error}", int(error.code)]
        return [True, value, int(ErrorCode.SUCCESS)]

    def advance(self) -> None:
        """Let everything happen which was due until now; each call does so first."""
        with self.lock:
            self._life_cycle.advance(self._clock.now())

    def fail(self, vm_id: int, message: str) -> None:
        """Let a VM fail with a message, shown in its TEMPLATE/ERROR."""
        with self.lock:
            self.advance()
            vm = self.state.vms[vm_id]
            self._life_cycle.fail(vm, message, self._clock.now())
            self.state.vms[vm_id] = vm

    def ignore_acpi(self, vm_id: int) -> None:
        """Let the guest of a VM ignore `shutdown` from now on: the VM goes back to RUNNING after a while.

        A VM whose template has `FEATURES = [ ACPI = "no" ]` does so from the beginning.
        """
        with self.lock:
            vm = self.state.vms[vm_id]
            vm.ignores_acpi = True
            self.state.vms[vm_id] = vm

    def set_state(self, vm_id: int, state: int, lcm_state: int = LcmState.LCM_INIT) -> None:
        """Put a VM into a state, where it stays until an action is asked for; nothing else of it changes."""
        with self.lock:
            self.advance()
            vm = self.state.vms[vm_id]
            self._life_cycle.halt(vm)
            vm.move(state, lcm_state)
            self.state.vms[vm_id] = vm

    def insert(self, document: str) -> int:
        """Add a VM which is shown as `document`, the text of a `<VM>`, word for word; return its id.

        The id is that in the text; a VM which has it already is replaced. It belongs to every user. Actions
        only change its STATE and LCM_STATE. ValueError if there is no ID in the text.
        """
        vm_id = number(document, "ID")
        if vm_id is None:
            raise ValueError("the document of a VM has an ID")
        state = number(document, "STATE")
        with self.lock:
            self.state.vms[vm_id] = VirtualMachine(
                vm_id,
                self.state.users.contact(ONEADMIN),
                name="",
                template=Template(),
                stime=0,
                state=VmState.ACTIVE if state is None else state,
                lcm_state=number(document, "LCM_STATE") or LcmState.LCM_INIT,
                literal=document,
            )
            self.state.next_ids[_VM] = max(self.state.next_ids[_VM], vm_id + 1)
        return vm_id

    def document(self, vm_id: int) -> str:
        """Return a VM as one.vm.info shows it."""
        with self.lock:
            self.advance()
            return document(self.state.vms[vm_id])

    def newest_documents(self, limit: int) -> list[str]:
        """Return at most so many VMs as one.vm.info shows them, newest first, the DONE ones at the end."""
        with self.lock:
            self.advance()
            vms = sorted(self.state.vms.values(), key=lambda vm: (vm.state == VmState.DONE, -vm.id))
            return [document(vm) for vm in vms[:limit]]

    def _authenticated(self, user: str | None) -> User:
        if user is None:
            text = "User couldn't be authenticated, aborting call."
            raise RequestError(ErrorCode.AUTHENTICATION, text)
        return self.state.users.contact(user)

    def _allocate_vm(self, user: User, arguments: Arguments) -> int:
        state, now = self.state, self._clock.now()
        try:
            vm = allocate(arguments.string(0), state.next_ids[_VM], user, state.networks, now)
        except RestrictedAttributeError as error:
            raise _forbidden(user, f"VM Template includes a restricted attribute {error}") from error
        except AllocationError as error:
            text = f"Error allocating a new virtual machine. {error}"
            raise RequestError(ErrorCode.INTERNAL, text) from error
        state.vms[vm.id] = vm
        state.next_ids[_VM] += 1
        self._life_cycle.start(vm, now)
        return vm.id

    def _act_on_vm(self, user: User, arguments: Arguments) -> int:
        action, vm_id = arguments.string(0), arguments.integer(1)
        vm = self._vm(user, vm_id, "MANAGE")
        try:
            self._life_cycle.act(vm, action, self._clock.now())
        except UnknownActionError as error:
            text = "Internal error. Action result not defined"
            raise RequestError(ErrorCode.INTERNAL, text) from error
        except WrongStateError as error:
            raise RequestError(ErrorCode.ACTION, "Wrong state to perform action") from error
        self.state.vms[vm_id] = vm
        return vm_id

    def _show_vm(self, user: User, arguments: Arguments) -> str:
        return document(self._vm(user, arguments.integer(0), "USE"))

    def _list_vms(self, user: User, arguments: Arguments) -> str:
        selection = Selection.of(arguments)
        state = arguments.integer(3)
        if not _ANY_STATE <= state <= VmState.FAILED:
            raise RequestError(ErrorCode.XML_RPC_API, "Incorrect filter_flag, state")
        return pool_document(
            vm
            for vm_id, vm in sorted(self.state.vms.items())
            if selection.has_id(vm_id)
            and (vm.literal or selection.has_owner(vm.owner, user, usable=_may_use(user, vm)))
            and _has_state(vm, state)
        )

    def _show_host(self, user: User, arguments: Arguments) -> str:
        host_id = arguments.integer(0)
        if not user.is_admin:
            raise _not_authorized(user, "USE HOST", host_id)
        host = next((host for host in self.state.hosts if host.id == host_id), None)
        if host is None:
            raise _missing("host", host_id)
        return self._host_document(host)

    def _list_hosts(self, user: User, _arguments: Arguments) -> str:
        hosts = self.state.hosts if user.is_admin else []
        return f"<HOST_POOL>{''.join(map(self._host_document, hosts))}</HOST_POOL>"

    def _host_document(self, host: Host) -> str:
        return host_document(host, self._scheduler.vms_on(host), self._clock.now())

    def _show_network(self, _user: User, arguments: Arguments) -> str:
        network_id = arguments.integer(0)
        network = next((network for network in self.state.networks if network.id == network_id), None)
        if network is None:
            raise _missing("virtual network", network_id)
        return network_document_with_leases(network)

    def _list_networks(self, user: User, arguments: Arguments) -> str:
        selection = Selection.of(arguments)
        oneadmin = self.state.users.contact(ONEADMIN)
        selected = (
            network_document(network)
            for network in self.state.networks
            if selection.has_id(network.id) and selection.has_owner(oneadmin, user, usable=True)
        )
        return f"<VNET_POOL>{''.join(selected)}</VNET_POOL>"

    def _show_image(self, _user: User, arguments: Arguments) -> str:
        raise _missing("image", arguments.integer(0))

    def _list_images(self, _user: User, arguments: Arguments) -> str:
        Selection.of(arguments)
        return "<IMAGE_POOL></IMAGE_POOL>"

    def _vm(self, user: User, vm_id: int, right: str) -> VirtualMachine:
        if vm_id < 0 and not user.is_admin:
            raise _not_authorized(user, f"{right} VM", vm_id)
        vm = self.state.vms.get(vm_id)
        if vm is None:
            raise _missing("virtual machine", vm_id)
        if not _may_use(user, vm):
            raise _not_authorized(user, f"{right} VM", vm_id)
        return vm


def _may_use(user: User, vm: VirtualMachine) -> bool:
    return user.is_admin or vm.owner.uid == user.uid or bool(vm.literal)


def _has_state(vm: VirtualMachine, state: int) -> bool:
    if state == _NOT_DONE:
        return vm.state != VmState.DONE
    return state in (_ANY_STATE, vm.state)


def _forbidden(user: User, text: str) -> RequestError:
    return RequestError(ErrorCode.AUTHORIZATION, f"User [{user.uid}] : {text}.")


def _not_authorized(user: User, what: str, object_id: int) -> RequestError:
    which = f" [{object_id}]" if object_id >= 0 else ""
    return _forbidden(user, f"Not authorized to perform {what}{which}")


def _missing(kind: str, object_id: int) -> RequestError:
    return RequestError(ErrorCode.NO_EXISTS, f"Error getting {kind} [{object_id}].")
