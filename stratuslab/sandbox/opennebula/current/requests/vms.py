"""The requests about VMs: allocate, look, act, update, rename, resize, lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import fault_of_name, merged, number, updated
from stratuslab.sandbox.opennebula.current.books import selected
from stratuslab.sandbox.opennebula.current.documents import pool
from stratuslab.sandbox.opennebula.current.life_cycle import ActionError
from stratuslab.sandbox.opennebula.current.quotas import usage_of
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.current.states import LcmState, VmState, state_name
from stratuslab.sandbox.opennebula.current.vm_documents import short_vm_document, vm_document
from stratuslab.sandbox.opennebula.current.ways import ADMINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
    from stratuslab.sandbox.opennebula.current.objects import Account, Vm
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.opennebula.template.template import Template

_NOT_DONE, _ANY = -1, -2
_RESIZABLE = (VmState.POWEROFF, VmState.HOLD, VmState.PENDING, VmState.UNDEPLOYED)
_LAST_STATE = 11
_LOCKS = range(1, 4)


class VmRequests:
    """Answers the requests about VMs."""

    def __init__(
        self, books: Books, allocation: Allocation, life_cycle: LifeCycle, quotas: Quotas, release: Release
    ) -> None:
        self._books = books
        self._allocation = allocation
        self._life_cycle = life_cycle
        self._quotas = quotas
        self._release = release
        self.requests: Requests = {
            "one.vm.allocate": self._allocate,
            "one.vm.info": self._show,
            "one.vm.action": self._act,
            "one.vm.update": self._update,
            "one.vm.updateconf": self._update_configuration,
            "one.vm.rename": self._rename,
            "one.vm.resize": self._resize,
            "one.vm.lock": self._lock,
            "one.vm.unlock": self._unlock,
            "one.vm.chmod": self._change_permissions,
            "one.vm.recover": self._recover,
            "one.vm.monitoring": self._monitoring,
            "one.vmpool.info": lambda request: self._list(request, short_vm_document),
            "one.vmpool.infoextended": lambda request: self._list(request, vm_document),
            "one.vmpool.infoset": self._list_set,
            "one.vmpool.monitoring": lambda request: self._monitoring_pool(request),
        }

    def create(self, template: Template, request: Request, *, hold: bool) -> int:
        """Make a VM of a template and begin its life; raises RefusalError."""
        vm = self._allocation.allocate(template, request.user, request.now, hold=hold)
        vm.fails_in = request.driver
        self._life_cycle.start(vm, request.now)
        return vm.id

    def create_held(self, template: Template, request: Request, hold: bool) -> int:
        """Make a VM as `create` does, which is on hold if `hold` says so."""
        return self.create(template, request, hold=hold)

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        return self.create(template, request, hold=request.optional_boolean(1, default=False))

    def _show(self, request: Request) -> str:
        vm = self._books.vm(request.user, request.arguments.integer(0), "USE")
        return vm_document(vm, self._books, self._release)

    def _act(self, request: Request) -> int:
        if self._release.id_is_read_first:
            request.arguments.integer(1)
        action, vm_id = request.arguments.string(0), request.arguments.integer(1)
        action_now = self._release.aliases.get(action, action)
        vm = self._books.vm(request.user, vm_id, "ADMIN" if action_now in ADMINS else "MANAGE")
        try:
            self._life_cycle.act(vm, action_now, request.now, request.who, request.driver)
        except ActionError as error:
            raise RefusalError(Code.ACTION, str(error)) from error
        return vm.id

    def _list(self, request: Request, document: Callable[[Vm, Books, Release], str]) -> str:
        filter_flag, first, last, state = (request.arguments.integer(index) for index in range(4))
        if request.arguments.has(4) and request.arguments.string(4):
            raise RefusalError(Code.INTERNAL, f"{self._release.search} is not supported by the SQL backend")
        if filter_flag < -4 or not _ANY <= state <= _LAST_STATE:
            raise RefusalError(Code.API, "Incorrect filter_flag")
        shown = [
            vm
            for vm in self._newest_first()
            if _is_in(vm, state)
            and (vm.literal or selected(request.user, vm, filter_flag, *_range(first, last)))
        ]
        if first >= 0 and last < -1:
            shown = shown[first : first - last]
        return pool("VM_POOL", (document(vm, self._books, self._release) for vm in shown))

    def _list_set(self, request: Request) -> str:
        ids = {int(text) for text in request.arguments.string(0).split(",") if text.strip().isdecimal()}
        document = vm_document if request.optional_boolean(1, default=False) else short_vm_document
        shown = (vm for vm in self._newest_first() if vm.id in ids and selected(request.user, vm, -2, -1, -1))
        return pool("VM_POOL", (document(vm, self._books, self._release) for vm in shown))

    def _newest_first(self) -> list[Vm]:
        return sorted(self._books.vms.values(), key=lambda vm: -vm.id)

    def _update(self, request: Request) -> int:
        vm_id, kind = request.arguments.integer(0), request.arguments.integer(2)
        vm = self._books.vm(request.user, vm_id, "MANAGE")
        prefix, code = self._release.update_prefix
        changes = request.template(1, Code(code), prefix)
        if "USER_PRIORITY" in dict(changes.attributes) and not request.user.is_admin:
            text = "User Template includes a restricted attribute USER_PRIORITY"
            raise RefusalError(Code.INTERNAL, f"Cannot update template. {text}")
        vm.user_template = updated(vm.user_template, changes) if kind == 1 else changes
        self._books.vms[vm.id] = vm
        return vm.id

    def _update_configuration(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        changes = request.template(1)
        if changes.vectors("CONTEXT") and not vm.template.vectors("CONTEXT"):
            text = "Virtual machine does not have context, cannot add a new one."
            raise RefusalError(Code.INTERNAL, text)
        for context in changes.vectors("CONTEXT"):
            kept = vm.template.vectors("CONTEXT")[0]
            context.update({name: kept[name] for name in ("DISK_ID", "TARGET")})
        vm.template = merged(vm.template, changes)
        self._allocation.update_context(vm)
        self._books.vms[vm.id] = vm
        return vm.id

    def _rename(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        name = request.arguments.string(1)
        if fault := fault_of_name(name):
            raise RefusalError(Code.ACTION, fault)
        vm.name = name
        self._books.vms[vm.id] = vm
        return vm.id

    def _resize(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        wanted = request.template(1)
        enforce = request.optional_boolean(2, default=True)
        runs = vm.is_active(LcmState.RUNNING)
        if not (vm.state in _RESIZABLE or (runs and self._release.resizes_running)):
            name = state_name(vm.state, vm.lcm_state)
            raise RefusalError(Code.ACTION, f"Cannot resize a VM in state {name}")
        sizes = {name: wanted.single(name) for name in ("CPU", "MEMORY", "VCPU")}
        sizes = {name: text for name, text in sizes.items() if number(text)}
        self._check_growth(vm, sizes, request.user)
        if enforce and "CPU" in sizes and vm.history:
            host = next(host for host in self._books.hosts if host.id == vm.history[-1].hid)
            asked = round(float(sizes["CPU"]) * 100)
            if asked > host.capacity.cpu:
                raise RefusalError(Code.ACTION, f"Not enough CPU: {asked}/{host.capacity.cpu}")
        for name, text in sizes.items():
            vm.template.replace(name, text)
        if runs:
            self._life_cycle.pause(vm, LcmState.HOTPLUG_RESIZE, "", request.now, request.driver)
        self._books.vms[vm.id] = vm
        return vm.id

    def _check_growth(self, vm: Vm, sizes: dict[str, str], user: Account) -> None:
        before = usage_of(vm)
        kept = [*vm.template.attributes]
        for name, text in sizes.items():
            vm.template.replace(name, text)
        after = usage_of(vm)
        vm.template.attributes = kept
        self._quotas.check(user, {key: after[key] - before.get(key, 0.0) for key in after})

    def _lock(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        level = request.arguments.integer(1)
        vm.lock = level if level in _LOCKS else 0
        vm.locked_at = int(request.now)
        self._books.vms[vm.id] = vm
        return vm.id

    def _unlock(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "USE")
        vm.lock = 0
        self._books.vms[vm.id] = vm
        return vm.id

    def _change_permissions(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "MANAGE")
        vm.permissions = changed_permissions(vm.permissions, request)
        self._books.vms[vm.id] = vm
        return vm.id

    def _recover(self, request: Request) -> int:
        vm = self._books.vm(request.user, request.arguments.integer(0), "ADMIN")
        operation = request.arguments.integer(1)
        if operation != 3:
            raise RefusalError(Code.INTERNAL, "The sandbox does not do this.")
        self._life_cycle.remove(vm, request.now)
        return vm.id

    def _monitoring(self, request: Request) -> str:
        self._books.vm(request.user, request.arguments.integer(0), "USE")
        return "<MONITORING_DATA></MONITORING_DATA>"

    def _monitoring_pool(self, request: Request) -> str:
        request.arguments.integer(0)
        return "<MONITORING_DATA></MONITORING_DATA>"


def changed_permissions(permissions: str, request: Request) -> str:
    """Return the permissions that a chmod makes of these: 1 and 0 set a bit, -1 keeps it."""
    bits = [request.arguments.integer(index) for index in range(1, 10)]
    return "".join(old if bit not in (0, 1) else str(bit) for old, bit in zip(permissions, bits, strict=True))


def _range(first: int, last: int) -> tuple[int, int]:
    return (-1, -1) if first >= 0 and last < -1 else (first, last)


def _is_in(vm: Vm, state: int) -> bool:
    if state == _NOT_DONE:
        return vm.state != VmState.DONE
    return state in (_ANY, vm.state)
