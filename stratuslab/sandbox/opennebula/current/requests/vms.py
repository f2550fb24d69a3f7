"""The requests about VMs: allocate, look, act, update, resize, lock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import merged, updated
from stratuslab.sandbox.opennebula.current.life_cycle import ActionError
from stratuslab.sandbox.opennebula.current.quotas import usage_of
from stratuslab.sandbox.opennebula.current.requests.request import (
    change_permissions,
    changing,
    listed,
    locking,
    rename,
    unlocking,
)
from stratuslab.sandbox.opennebula.current.vm_documents import short_vm_document, vm_document
from stratuslab.sandbox.opennebula.current.ways import ADMINS
from stratuslab.sandbox.opennebula.model.documents import pool
from stratuslab.sandbox.opennebula.model.permissions import may
from stratuslab.sandbox.opennebula.model.states import (
    ANY_STATE,
    LcmState,
    VmState,
    is_wanted,
    state_name,
)
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, not_done_here
from stratuslab.sandbox.opennebula.template.template import Template, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Account, Vm
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release

_RESIZABLE = (VmState.POWEROFF, VmState.HOLD, VmState.PENDING, VmState.UNDEPLOYED)
_NO_MONITORING = "<MONITORING_DATA></MONITORING_DATA>"
_DELETE = 3
_UPDATES = (0, 1)


@dataclass(frozen=True)
class VmRequests:
    """Answers the requests about VMs."""

    books: Books
    allocation: Allocation
    life_cycle: LifeCycle
    quotas: Quotas
    release: Release

    def requests(self) -> Requests:
        """Return what answers each method."""
        vms = self.books.vms
        return {
            "one.vm.allocate": self._allocate,
            "one.vm.info": self._show,
            "one.vm.action": self._act,
            "one.vm.update": changing(vms, "VM", self._update),
            "one.vm.updateconf": changing(vms, "VM", self._update_configuration),
            "one.vm.rename": changing(vms, "VM", rename),
            "one.vm.resize": changing(vms, "VM", self._resize),
            "one.vm.lock": locking(vms, "VM"),
            "one.vm.unlock": unlocking(vms, "VM"),
            "one.vm.chmod": changing(vms, "VM", change_permissions),
            "one.vm.recover": self._recover,
            "one.vm.monitoring": self._monitoring,
            "one.vmpool.info": partial(self._list, short_vm_document),
            "one.vmpool.infoextended": partial(self._list, vm_document),
            "one.vmpool.infoset": self._list_set,
            "one.vmpool.monitoring": lambda _: _NO_MONITORING,
        }

    def create(self, template: Template, request: Request, *, hold: bool) -> int:
        """Make a VM of a template and begin its life; raises RefusalError."""
        vm = self.allocation.allocate(template, request, hold=hold)
        self.life_cycle.start(vm, request.now)
        return vm.id

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        self.allocation.refuse_restricted(template, request.user)
        return self.create(template, request, hold=request.arguments.boolean(1, default=False))

    def _show(self, request: Request) -> str:
        vm = self.books.vm(request.user, request.arguments.integer(0), "USE")
        return vm_document(vm, self.books, self.release)

    def _act(self, request: Request) -> int:
        if self.release.id_is_read_first:
            request.arguments.integer(1)
        action, vm_id = request.arguments.string(0), request.arguments.integer(1)
        action = self.release.aliases.get(action, action)
        vm = self.books.vm(request.user, vm_id, "ADMIN" if action in ADMINS else "MANAGE")
        try:
            self.life_cycle.act(vm, action, request)
        except ActionError as error:
            raise RefusalError(Code.ACTION, str(error)) from error
        return vm.id

    def _list(self, document: Callable[[Vm, Books, Release], str], request: Request) -> str:
        if request.arguments.string(4, ""):
            text = f"{self.release.search} is not supported by the SQL backend"
            raise RefusalError(Code.INTERNAL, text)
        state = request.arguments.integer(3)
        if not ANY_STATE <= state <= max(VmState):
            raise RefusalError(Code.API, "Incorrect filter_flag, state")
        vms = [vm for vm in self.books.vms.values() if is_wanted(vm.state, state)]
        return listed(request, vms, "VM_POOL", lambda vm: document(vm, self.books, self.release))

    def _list_set(self, request: Request) -> str:
        ids = {int(text) for text in request.arguments.string(0).split(",") if text.strip().isdecimal()}
        document = vm_document if request.arguments.boolean(1, default=False) else short_vm_document
        vms = [self.books.vms[vm_id] for vm_id in sorted(ids, reverse=True) if vm_id in self.books.vms]
        usable = (vm for vm in vms if may(request.user, vm, "USE"))
        return pool("VM_POOL", (document(vm, self.books, self.release) for vm in usable))

    def _update(self, request: Request, vm: Vm) -> None:
        prefix, code = self.release.update_prefix
        changes = request.template(1, prefix, Code(code))
        kind = request.arguments.integer(2)
        if kind not in _UPDATES:
            raise RefusalError(Code.API, "Wrong update type")
        self.allocation.refuse_update(changes, vm.user_template, request.user, "Cannot update template. ")
        vm.user_template = updated(vm.user_template, changes, kind)

    def _update_configuration(self, request: Request, vm: Vm) -> None:
        changes = request.template(1)
        vectors = Template([(name, value) for name, value in changes.attributes if isinstance(value, dict)])
        self.allocation.refuse_changed(vectors, vm.template, request.user, "Template")
        if changes.vectors("CONTEXT") and not vm.template.vectors("CONTEXT"):
            text = "Virtual machine does not have context, cannot add a new one."
            raise RefusalError(Code.INTERNAL, text)
        for context in changes.vectors("CONTEXT"):
            kept = vm.template.vectors("CONTEXT")[0]
            context.update({name: kept[name] for name in ("DISK_ID", "TARGET")})
        vm.template = merged(vm.template, changes)
        self.allocation.update_context(vm)

    def _resize(self, request: Request, vm: Vm) -> None:
        wanted = request.template(1)
        self.allocation.refuse_restricted(wanted, request.user, "Template")
        for name, kind in (("CPU", "float or integer"), ("MEMORY", "integer"), ("VCPU", "integer")):
            if wanted.single(name).startswith("-"):
                raise RefusalError(Code.INTERNAL, f"{name} must be a positive {kind} value.")
        enforce = request.arguments.boolean(2, default=True)
        runs = vm.is_active(LcmState.RUNNING)
        if not (vm.state in _RESIZABLE or (runs and self.release.resizes_running)):
            name = state_name(vm.state, vm.lcm_state)
            raise RefusalError(Code.ACTION, f"Cannot resize a VM in state {name}")
        sizes = {name: wanted.single(name) for name in ("CPU", "MEMORY", "VCPU")}
        sizes = {name: text for name, text in sizes.items() if number(text)}
        self._check_growth(vm, sizes, request.user)
        if enforce and "CPU" in sizes and vm.history:
            host = next(host for host in self.books.hosts if host.id == vm.history[-1].hid)
            asked = round(float(sizes["CPU"]) * 100)
            if asked > host.capacity.cpu:
                raise RefusalError(Code.ACTION, f"Not enough CPU: {asked}/{host.capacity.cpu}")
        for name, text in sizes.items():
            vm.template.replace(name, text)
        if runs:
            self.life_cycle.pause(vm, LcmState.HOTPLUG_RESIZE, request)

    def _check_growth(self, vm: Vm, sizes: dict[str, str], user: Account) -> None:
        before = usage_of(vm)
        kept = [*vm.template.attributes]
        for name, text in sizes.items():
            vm.template.replace(name, text)
        after = usage_of(vm)
        vm.template.attributes = kept
        self.quotas.check(user, {key: after[key] - before.get(key, 0.0) for key in after})

    def _recover(self, request: Request) -> int:
        vm = self.books.vm(request.user, request.arguments.integer(0), "ADMIN")
        if request.arguments.integer(1) != _DELETE:
            raise not_done_here()
        self.life_cycle.remove(vm, request.now)
        return vm.id

    def _monitoring(self, request: Request) -> str:
        self.books.vm(request.user, request.arguments.integer(0), "USE")
        return _NO_MONITORING
