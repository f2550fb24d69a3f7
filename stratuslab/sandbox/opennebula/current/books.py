"""The books of an OpenNebula: all its objects, and who has which right on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from stratuslab.sandbox.opennebula.current.objects import (
    Account,
    Datastore,
    Image,
    Network,
    Owned,
    Vm,
    VmTemplate,
)
from stratuslab.sandbox.opennebula.current.refusals import missing, not_authorized
from stratuslab.sandbox.table import Table

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.hosts import Host

_O = TypeVar("_O", bound=Owned)
_RIGHTS = {"USE": 0, "MANAGE": 1, "ADMIN": 2}
KINDS = {
    "VM": "virtual machine",
    "IMAGE": "image",
    "NET": "virtual network",
    "DATASTORE": "datastore",
    "TEMPLATE": "virtual machine template",
}


@dataclass
class Books:
    """All objects by their ids; `next_ids` has the next one by kind."""

    hosts: list[Host]
    users: Table[int, Account] = field(default_factory=Table)
    vms: Table[int, Vm] = field(default_factory=Table)
    images: Table[int, Image] = field(default_factory=Table)
    datastores: Table[int, Datastore] = field(default_factory=Table)
    networks: Table[int, Network] = field(default_factory=Table)
    templates: Table[int, VmTemplate] = field(default_factory=Table)
    group_quotas: Table[str, str] = field(default_factory=Table)
    next_ids: Table[str, int] = field(default_factory=Table)

    def new_id(self, kind: str) -> int:
        """Return the id of the next object of a kind, which is never given again."""
        number = self.next_ids.get(kind, 0)
        self.next_ids[kind] = number + 1
        return number

    def user_named(self, name: str) -> Account | None:
        """Return the user of that name, None if there is none."""
        return next((user for user in self.users.values() if user.name == name), None)

    def uname(self, uid: int) -> str:
        """Return the name of a user."""
        return self.users[uid].name if uid in self.users else "oneadmin"

    def vm(self, user: Account, vm_id: int, right: str) -> Vm:
        """Find a VM on which the user has a right; raises RefusalError."""
        return _found(self.vms, user, vm_id, f"{right} VM")

    def image(self, user: Account, image_id: int, right: str) -> Image:
        """Find an image on which the user has a right; raises RefusalError."""
        return _found(self.images, user, image_id, f"{right} IMAGE")

    def template(self, user: Account, template_id: int, right: str) -> VmTemplate:
        """Find a VM template on which the user has a right; raises RefusalError."""
        return _found(self.templates, user, template_id, f"{right} TEMPLATE")

    def datastore(self, datastore_id: int) -> Datastore:
        """Find a datastore, which everybody may use; raises RefusalError."""
        return _existing(self.datastores, datastore_id, "DATASTORE")

    def network(self, network_id: int) -> Network:
        """Find a network, which everybody may use whatever its permissions; raises RefusalError."""
        return _existing(self.networks, network_id, "NET")


def may(user: Account, item: Owned, right: str) -> bool:
    """Tell whether a user has a right on an object; what is locked can only be used."""
    if right != "USE" and item.lock and not user.is_admin:
        return False
    column = _RIGHTS[right]
    return (
        user.is_admin
        or (user.id == item.uid and item.permissions[column] == "1")
        or (user.gid == item.gid and item.permissions[3 + column] == "1")
        or item.permissions[6 + column] == "1"
    )


def selected(
    user: Account, item: Owned, filter_flag: int, first: int, last: int, *, usable: bool | None = None
) -> bool:
    """Tell whether an object is asked for by a filter (-4 to -1, or a user's id) and a range of ids."""
    if first >= 0 and (item.id < first or 0 <= last < item.id):
        return False
    usable = may(user, item, "USE") if usable is None else usable
    match filter_flag:
        case -3:
            return item.uid == user.id
        case -4:
            return usable and item.gid == user.gid
        case -1:
            return usable and (item.uid == user.id or item.gid == user.gid)
        case -2:
            return usable
    return usable and item.uid == filter_flag


def _existing(table: Table[int, _O], object_id: int, kind: str) -> _O:
    if object_id not in table:
        raise missing(KINDS[kind], object_id)
    return table[object_id]


def _found(table: Table[int, _O], user: Account, object_id: int, what: str) -> _O:
    right, _, kind = what.partition(" ")
    if object_id < 0 and not user.is_admin:
        raise not_authorized(user, what)
    item = _existing(table, object_id, kind)
    if not may(user, item, right):
        raise not_authorized(user, what, object_id)
    return item
