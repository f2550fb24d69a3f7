"""The books of an OpenNebula: all its objects, and how a request finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from stratuslab.sandbox.opennebula.current.objects import (
    Account,
    Datastore,
    Image,
    Network,
    PoolObject,
    Vm,
    VmTemplate,
)
from stratuslab.sandbox.opennebula.model.ids import NextIds
from stratuslab.sandbox.opennebula.model.permissions import found
from stratuslab.sandbox.opennebula.refusals import missing
from stratuslab.sandbox.table import Table

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.hosts import Host

_O = TypeVar("_O", bound=PoolObject)


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
    next_ids: NextIds = field(default_factory=NextIds)

    def user_named(self, name: str) -> Account | None:
        """Return the user of that name, None if there is none."""
        return next((user for user in self.users.values() if user.name == name), None)

    def uname(self, uid: int) -> str:
        """Return the name of a user."""
        return self.users[uid].name if uid in self.users else "oneadmin"

    def vm(self, user: Account, vm_id: int, right: str) -> Vm:
        """Find a VM on which the user has a right; raises RefusalError."""
        return found(self.vms, user, vm_id, right, "VM")

    def image(self, user: Account, image_id: int, right: str) -> Image:
        """Find an image on which the user has a right; raises RefusalError."""
        return found(self.images, user, image_id, right, "IMAGE")

    def template(self, user: Account, template_id: int, right: str) -> VmTemplate:
        """Find a VM template on which the user has a right; raises RefusalError."""
        return found(self.templates, user, template_id, right, "TEMPLATE")

    def datastore(self, datastore_id: int) -> Datastore:
        """Find a datastore, which everybody may use; raises RefusalError."""
        return _existing(self.datastores, datastore_id, "DATASTORE")

    def network(self, network_id: int) -> Network:
        """Find a network, which everybody may use whatever its permissions; raises RefusalError."""
        return _existing(self.networks, network_id, "NET")


def _existing(table: Table[int, _O], object_id: int, kind: str) -> _O:
    if object_id not in table:
        raise missing(kind, object_id)
    return table[object_id]
