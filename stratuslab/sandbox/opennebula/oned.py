"""OpenNebula 3.2's core at one location."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.any_oned import AnyOned
from stratuslab.sandbox.opennebula.life_cycle import LifeCycle, UnknownActionError, WrongStateError
from stratuslab.sandbox.opennebula.model.ids import NextIds
from stratuslab.sandbox.opennebula.model.permissions import changed, found
from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
from stratuslab.sandbox.opennebula.model.states import ANY_STATE, LcmState, VmState, is_wanted
from stratuslab.sandbox.opennebula.model.users import ONEADMIN, UserPool
from stratuslab.sandbox.opennebula.model.virtual_machine import VirtualMachine
from stratuslab.sandbox.opennebula.model.vm_document import document, number, pool_document
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, forbidden, not_done_here
from stratuslab.sandbox.opennebula.requests.hosts import HostRequests
from stratuslab.sandbox.opennebula.requests.images import ImageRequests
from stratuslab.sandbox.opennebula.requests.methods import METHODS, request_name
from stratuslab.sandbox.opennebula.requests.networks import NetworkRequests
from stratuslab.sandbox.opennebula.requests.request import Arguments, FaultCode, Request, Selection
from stratuslab.sandbox.opennebula.requests.templates import KeptTemplate, TemplateRequests
from stratuslab.sandbox.opennebula.requests.users import UserRequests
from stratuslab.sandbox.opennebula.template.template import Template, parse
from stratuslab.sandbox.opennebula.vm_allocation import AllocationError, RestrictedAttributeError, allocate
from stratuslab.sandbox.table import Table
from stratuslab.sandbox.xmlrpc.call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.images import OneImage
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Requests
    from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
    from stratuslab.sandbox.xmlrpc.call import Scalar, Value

_NO_VM = "Error allocating a new virtual machine. "
_EVERYBODYS = "110110110"


@dataclass
class OnedState:
    """Everything that an OpenNebula knows."""

    hosts: list[Host]
    networks: dict[int, VirtualNetwork]
    users: UserPool = field(default_factory=UserPool)
    vms: Table[int, VirtualMachine] = field(default_factory=Table)
    templates: Table[int, KeptTemplate] = field(default_factory=Table)
    images: Table[int, OneImage] = field(default_factory=Table)
    next_ids: NextIds = field(default_factory=NextIds)

    def recover_leases(self) -> None:
        """Work out from the VMs which addresses are leased."""
        for network in self.networks.values():
            network.recover(self.vms.values())


class Oned(AnyOned[VirtualMachine]):
    """An OpenNebula 3.2, whose users come with their first call. Hold `lock` to look at `state`."""

    def __init__(
        self,
        hosts: Sequence[Host],
        networks: Sequence[VirtualNetwork],
        clock: Clock,
        transfer_manager: TransferManager,
        boot_seconds: float,
    ) -> None:
        state = self.state = OnedState([*hosts], {network.id: network for network in networks})
        scheduler = Scheduler(state.hosts, state.vms)
        self._life_cycle = LifeCycle(state.vms, scheduler, state.networks, transfer_manager, boot_seconds)
        super().__init__(state.vms, document, self._life_cycle, clock)
        self._hosts = HostRequests(state.hosts, scheduler)
        self._requests: Requests[User] = {
            "one.vm.allocate": self._allocate_vm,
            "one.vm.action": self._act_on_vm,
            "one.vm.chmod": self._change_permissions,
            "one.vm.deploy": self._deploy_vm,
            "one.vm.info": self._show_vm,
            "one.vm.migrate": self._migrate_vm,
            "one.vmpool.info": self._list_vms,
            **self._hosts.requests,
            **NetworkRequests(state.networks).requests,
            **ImageRequests(state).requests,
            **TemplateRequests(state.templates, state.next_ids, self._make_vm).requests,
            **UserRequests(state.users).requests,
        }

    def call(self, method: str, arguments: Sequence[Value], user: str | None) -> list[Scalar]:
        """Carry out a call; `arguments` are those after the session, `user` is the plain login name.

        Without a user, the call counts as one with a wrong password. Returns [True, value, 0] or
        [False, text, code]; raises XmlRpcError for a wrong method or arguments of the wrong number or type.
        """
        if method not in METHODS:
            raise XmlRpcError(FaultCode.NO_SUCH_METHOD, f"Method '{method}' not defined")
        with self.lock:
            self.advance()
            try:
                request = Request(self._authenticated(user), Arguments(arguments), self._clock.now(), parse)
                if method not in self._requests:
                    raise not_done_here()
                value = self._requests[method](request)
            except RefusalError as refusal:
                return [False, f"[{request_name(method)}] {refusal}", int(refusal.code)]
        return [True, value, 0]

    def ignore_acpi(self, vm_id: int) -> None:
        """Let the guest of a VM ignore `shutdown` from now on: the VM goes back to RUNNING after a while.

        A VM whose template has `FEATURES = [ ACPI = "no" ]` does so from the beginning.
        """
        with self.lock:
            vm = self.state.vms[vm_id]
            vm.ignores_acpi = True
            self.state.vms[vm_id] = vm

    def insert(self, document: str) -> int:
        """Add a VM that is shown as `document`, the text of a `<VM>`, word for word; return its id.

        The id is the one in the text; a VM that has it already is replaced. It belongs to every user. Actions
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
                permissions=_EVERYBODYS,
            )
            self.state.next_ids["vm"] = max(self.state.next_ids.next("vm"), vm_id + 1)
        return vm_id

    def waiting(self) -> dict[int, str]:
        """Return why VMs are PENDING, by their ids, for those that no host has room for."""
        with self.lock:
            self.advance()
            return self._life_cycle.waiting()

    def _authenticated(self, user: str | None) -> User:
        if user is None:
            raise RefusalError(Code.AUTHENTICATION, "User couldn't be authenticated, aborting call.")
        return self.state.users.contact(user)

    def _allocate_vm(self, request: Request[User]) -> int:
        return self._make_vm(request.template(0, _NO_VM), request)

    def _make_vm(self, template: Template, request: Request[User]) -> int:
        state, user = self.state, request.user
        vm_id = state.next_ids.next("vm")
        try:
            vm = allocate(template, vm_id, user, state.networks.values(), state.images.values(), request.now)
        except RestrictedAttributeError as error:
            raise forbidden(user, f"VM Template includes a restricted attribute {error}.") from error
        except AllocationError as error:
            raise RefusalError(Code.INTERNAL, f"{_NO_VM}{error}") from error
        state.vms[state.next_ids.take("vm")] = vm
        self._life_cycle.start(vm, request.now)
        return vm.id

    def _act_on_vm(self, request: Request[User]) -> int:
        action, vm_id = request.arguments.string(0), request.arguments.integer(1)
        vm = found(self.state.vms, request.user, vm_id, "MANAGE", "VM")
        return self._changed(vm, lambda: self._life_cycle.act(vm, action, request.now))

    def _changed(self, vm: VirtualMachine, change: Callable[[], None]) -> int:
        try:
            change()
        except UnknownActionError as error:
            text = "Internal error. Action result not defined"
            raise RefusalError(Code.INTERNAL, text) from error
        except WrongStateError as error:
            raise RefusalError(Code.ACTION, "Wrong state to perform action") from error
        self.state.vms[vm.id] = vm
        return vm.id

    def _show_vm(self, request: Request[User]) -> str:
        return document(self._vm(request, "USE"))

    def _list_vms(self, request: Request[User]) -> str:
        selection = Selection.of(request.arguments, has_pages=False)
        state = request.arguments.integer(3)
        if not ANY_STATE <= state <= VmState.FAILED:
            raise RefusalError(Code.API, "Incorrect filter_flag, state")
        vms = [vm for _, vm in sorted(self.state.vms.items()) if is_wanted(vm.state, state)]
        picked = {vm.id for vm in selection.pick(vms, request.user)}
        picked |= {vm.id for vm in vms if vm.literal and selection.has_id(vm.id)}
        return pool_document(vm for vm in vms if vm.id in picked)

    def _change_permissions(self, request: Request[User]) -> int:
        vm = self._vm(request, "MANAGE")
        vm.permissions = changed(vm.permissions, request.arguments)
        self.state.vms[vm.id] = vm
        return vm.id

    def _deploy_vm(self, request: Request[User]) -> int:
        host_id = request.arguments.integer(1)
        vm = self._vm(request, "ADMIN")
        host = self._hosts.host(request.user, host_id, "MANAGE")
        return self._changed(vm, lambda: self._life_cycle.deploy(vm, host, request.now))

    def _migrate_vm(self, request: Request[User]) -> int:
        host_id, live = request.arguments.integer(1), request.arguments.boolean(2)
        vm = self._vm(request, "ADMIN")
        host = self._hosts.host(request.user, host_id, "MANAGE")
        return self._changed(vm, lambda: self._life_cycle.migrate(vm, host, request.now, live=live))

    def _vm(self, request: Request[User], right: str) -> VirtualMachine:
        return found(self.state.vms, request.user, request.arguments.integer(0), right, "VM")
