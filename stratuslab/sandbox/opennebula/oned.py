"""OpenNebula's core at one location."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.life_cycle import LifeCycle, UnknownActionError, WrongStateError
from stratuslab.sandbox.opennebula.model.images import OneImages, saved_image
from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
from stratuslab.sandbox.opennebula.model.users import ONEADMIN, UserPool
from stratuslab.sandbox.opennebula.model.virtual_machine import LcmState, VirtualMachine, VmState
from stratuslab.sandbox.opennebula.model.vm_document import document, number, pool_document
from stratuslab.sandbox.opennebula.requests.hosts import HostRequests
from stratuslab.sandbox.opennebula.requests.images import ImageRequests
from stratuslab.sandbox.opennebula.requests.methods import METHODS, request_name
from stratuslab.sandbox.opennebula.requests.networks import NetworkRequests
from stratuslab.sandbox.opennebula.requests.request import (
    Arguments,
    ErrorCode,
    FaultCode,
    RequestError,
    Selection,
    forbidden,
    missing,
    not_authorized,
    required_name,
)
from stratuslab.sandbox.opennebula.requests.templates import KeptTemplate, TemplateRequests
from stratuslab.sandbox.opennebula.requests.users import UserRequests
from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse
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

_ANY_STATE = -2
_NOT_DONE = -1
_VM = "vm"


@dataclass
class OnedState:
    """Everything that an OpenNebula knows."""

    hosts: list[Host]
    networks: list[VirtualNetwork]
    users: UserPool = field(default_factory=UserPool)
    vms: Table[int, VirtualMachine] = field(default_factory=Table)
    templates: Table[int, KeptTemplate] = field(default_factory=Table)
    images: Table[int, OneImage] = field(default_factory=Table)
    next_ids: Table[str, int] = field(default_factory=lambda: Table({_VM: 0}))

    def recover_leases(self) -> None:
        """Work out from the VMs which addresses are leased."""
        for network in self.networks:
            network.recover(self.vms.values())


class Oned:
    """An OpenNebula 3.2. Thread-safe.

    Users come with their first call. Besides the calls there are methods with which a test puts VMs into
    states that no call leads to; they raise KeyError for a VM that does not exist. Hold `lock`
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
        state = self.state = OnedState([*hosts], [*networks])
        self._scheduler = Scheduler(state.hosts, state.vms)
        self._life_cycle = LifeCycle(
            state.vms, self._scheduler, state.networks, transfer_manager, boot_seconds
        )
        self._hosts = HostRequests(state.hosts, self._scheduler, clock)
        self._images = OneImages(state.images, state.next_ids, state.users, state.vms)
        self._requests: Requests = {
            "one.vm.allocate": self._allocate_vm,
            "one.vm.action": self._act_on_vm,
            "one.vm.chmod": self._change_permissions,
            "one.vm.deploy": self._deploy_vm,
            "one.vm.info": self._show_vm,
            "one.vm.migrate": self._migrate_vm,
            "one.vm.savedisk": self._save_disk,
            "one.vmpool.info": self._list_vms,
            **self._hosts.requests,
            **NetworkRequests(state.networks).requests,
            **ImageRequests(self._images, clock).requests,
            **TemplateRequests(state.templates, state.next_ids, state.users, clock, self._make_vm).requests,
            **UserRequests(state.users).requests,
        }

    def call(self, method: str, arguments: Sequence[Value], user: str | None) -> list[Scalar]:
        """Carry out a call; `arguments` are those after the session, `user` is the plain login name.

        Without a user the call counts as made with a wrong password. Returns [True, value, 0] or
        [False, text, code]; raises XmlRpcError for a wrong method or arguments of the wrong number or type.
        """
        if method not in METHODS:
            raise XmlRpcError(FaultCode.NO_SUCH_METHOD, f"Method '{method}' not defined")
        request = self._requests.get(method, _not_done_here)
        with self.lock:
            self.advance()
            try:
                value = request(self._authenticated(user), Arguments(arguments))
            except RequestError as error:
                return [False, f"[{request_name(method)}] {error}", int(error.code)]
        return [True, value, int(ErrorCode.SUCCESS)]

    def advance(self) -> None:
        """Let everything happen that is due by now; each call does this first."""
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
        """Put a VM into a state, in which it stays until an action is asked for; nothing else changes."""
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

    def waiting(self) -> dict[int, str]:
        """Return why VMs are PENDING, by their ids, for those that no host has room for."""
        with self.lock:
            self.advance()
            return self._life_cycle.waiting()

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
        try:
            template = parse(arguments.string(0))
        except TemplateError as error:
            raise _no_vm(error) from error
        return self._make_vm(template, user)

    def _make_vm(self, template: Template, user: User) -> int:
        state, now = self.state, self._clock.now()
        try:
            vm = allocate(template, state.next_ids[_VM], user, state.networks, self._images, now)
        except RestrictedAttributeError as error:
            raise forbidden(user, f"VM Template includes a restricted attribute {error}") from error
        except AllocationError as error:
            raise _no_vm(error) from error
        state.vms[vm.id] = vm
        state.next_ids[_VM] += 1
        self._life_cycle.start(vm, now)
        return vm.id

    def _act_on_vm(self, user: User, arguments: Arguments) -> int:
        action, vm_id = arguments.string(0), arguments.integer(1)
        vm = self._vm(user, vm_id, "MANAGE")
        return self._changed(vm, lambda now: self._life_cycle.act(vm, action, now))

    def _changed(self, vm: VirtualMachine, change: Callable[[float], None]) -> int:
        try:
            change(self._clock.now())
        except UnknownActionError as error:
            text = "Internal error. Action result not defined"
            raise RequestError(ErrorCode.INTERNAL, text) from error
        except WrongStateError as error:
            raise RequestError(ErrorCode.ACTION, "Wrong state to perform action") from error
        self.state.vms[vm.id] = vm
        return vm.id

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
            and (vm.literal or selection.has_owner(vm.owner, user, usable=vm.allows(user, "USE")))
            and _has_state(vm, state)
        )

    def _change_permissions(self, user: User, arguments: Arguments) -> int:
        vm = self._vm(user, arguments.integer(0), "MANAGE")
        bits = [arguments.integer(index) for index in range(1, 10)]
        kept = zip(vm.permissions, bits, strict=True)
        vm.permissions = "".join(old if bit < 0 else str(int(bit > 0)) for old, bit in kept)
        self.state.vms[vm.id] = vm
        return vm.id

    def _deploy_vm(self, user: User, arguments: Arguments) -> int:
        vm_id, host_id = arguments.integer(0), arguments.integer(1)
        vm = self._vm(user, vm_id, "ADMIN")
        host = self._hosts.host(user, host_id, "MANAGE")
        return self._changed(vm, lambda now: self._life_cycle.deploy(vm, host, now))

    def _migrate_vm(self, user: User, arguments: Arguments) -> int:
        vm_id, host_id, live = arguments.integer(0), arguments.integer(1), arguments.boolean(2)
        vm = self._vm(user, vm_id, "ADMIN")
        host = self._hosts.host(user, host_id, "MANAGE")
        return self._changed(vm, lambda now: self._life_cycle.migrate(vm, host, now, live=live))

    def _save_disk(self, user: User, arguments: Arguments) -> int:
        vm_id, disk_id, name = arguments.integer(0), arguments.integer(1), arguments.string(2)
        arguments.string(3)
        vm = self._vm(user, vm_id, "MANAGE")
        disk = next((d for d in vm.template.vectors("DISK") if d.get("DISK_ID") == str(disk_id)), None)
        if disk is None:
            raise RequestError(ErrorCode.INTERNAL, "Cannot use selected DISK. Can't find image of the disk")
        taken = {known.name: known.id for known in self._images if known.owner == user.login}
        required_name(name, taken, "IMAGE", "image")
        now = self._clock.now()
        image = saved_image(self._images.next_id, user, name, vm_id, disk_id, now)
        disk.update(SAVE="YES", SAVE_AS=str(self._images.add(image)))
        self.state.vms[vm_id] = vm
        return image.id

    def _vm(self, user: User, vm_id: int, right: str) -> VirtualMachine:
        if vm_id < 0 and not user.is_admin:
            raise not_authorized(user, f"{right} VM", vm_id)
        vm = self.state.vms.get(vm_id)
        if vm is None:
            raise missing("virtual machine", vm_id)
        if not vm.allows(user, right):
            raise not_authorized(user, f"{right} VM", vm_id)
        return vm


def _has_state(vm: VirtualMachine, state: int) -> bool:
    if state == _NOT_DONE:
        return vm.state != VmState.DONE
    return state in (_ANY_STATE, vm.state)


def _no_vm(reason: Exception) -> RequestError:
    return RequestError(ErrorCode.INTERNAL, f"Error allocating a new virtual machine. {reason}")


def _not_done_here(_user: User, _arguments: Arguments) -> str:
    raise RequestError(ErrorCode.INTERNAL, "The sandbox does not do this.")
