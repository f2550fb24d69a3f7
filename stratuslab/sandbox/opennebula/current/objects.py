"""What an OpenNebula keeps: users, VMs, images, datastores, networks, VM templates.

All fields hold what JSON can hold, so that the objects can be written as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import chain
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY
from stratuslab.sandbox.opennebula.model.states import ImageState, InState, LcmState, VmState
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.history import HistoryRecord

USERS, ONEADMIN = 1, 0
GROUPS = {ONEADMIN: "oneadmin", USERS: "users"}
"""The names of the groups."""


@dataclass
class Token:
    """A login token; `expires` in Unix seconds, -1 for never."""

    text: str
    expires: int
    group: int


@dataclass
class Account:
    """A user; `password_hash` is what `one.user.info` shows. A quota is by section, id and name."""

    uid: int
    name: str
    gid: int
    password_hash: str = ""
    template: Template = field(default_factory=Template)
    tokens: list[Token] = field(default_factory=list)
    quotas: dict[str, str] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        """Whether the user may see and do everything."""
        return self.gid == ONEADMIN


@dataclass
class PoolObject:
    """What belongs to somebody."""

    id: int
    uid: int
    gid: int
    name: str
    permissions: str = OWNER_ONLY
    lock: int = 0
    locked_at: int = 0


@dataclass
class Turn:
    """What happens by itself at a time: a VM comes into a state, and `event` is done then."""

    time: float
    state: int
    lcm_state: int
    event: str = ""


@dataclass
class Snapshot:
    """A snapshot of a disk; `size` in MiB."""

    id: int
    name: str
    date: int
    size: int
    parent: int


@dataclass
class Snapshots:
    """The snapshots of a disk or of an image; if they are not `is_known`, the element is empty."""

    next_id: int = 0
    active: int = -1
    snapshots: list[Snapshot] = field(default_factory=list)
    is_known: bool = True

    def children(self, snapshot_id: int) -> list[int]:
        """Return the snapshots that were made after this one."""
        return [snapshot.id for snapshot in self.snapshots if snapshot.parent == snapshot_id]

    def find(self, snapshot_id: int) -> Snapshot | None:
        """Return the snapshot of that id, None if there is none."""
        return next((snapshot for snapshot in self.snapshots if snapshot.id == snapshot_id), None)

    def add(self, name: str, date: int, size: int) -> int:
        """Add a snapshot, which becomes the active one when it is done; return its id."""
        self.snapshots.append(Snapshot(self.next_id, name, date, size, self.active))
        self.next_id += 1
        self.is_known = True
        return self.next_id - 1

    def remove(self, snapshot: Snapshot) -> None:
        """Remove a snapshot; those that were made after it are then made after the one before it."""
        self.snapshots.remove(snapshot)
        for other in self.snapshots:
            if other.parent == snapshot.id:
                other.parent = snapshot.parent
        if self.active == snapshot.id:
            self.active = snapshot.parent


@dataclass
class Vm(InState, PoolObject):
    """A VM; times in Unix seconds. `template` is OpenNebula's part of it, `user_template` the user's.

    `fails_in` is the stage in which a driver will fail, once. `disk_snapshots` are by the DISK_ID.
    """

    template: Template = field(default_factory=Template)
    user_template: Template = field(default_factory=Template)
    stime: int = 0
    etime: int = 0
    state: int = int(VmState.PENDING)
    lcm_state: int = int(LcmState.LCM_INIT)
    deploy_id: str = ""
    history: list[HistoryRecord] = field(default_factory=list)
    agenda: list[Turn] = field(default_factory=list)
    disk_snapshots: dict[str, Snapshots] = field(default_factory=dict)
    fails_in: str = ""
    on_way: str = ""

    def disk(self, disk_id: int) -> dict[str, str] | None:
        """Return the disk of that DISK_ID, None if there is none."""
        return next((d for d in self.template.vectors("DISK") if d.get("DISK_ID") == str(disk_id)), None)


@dataclass
class Image(PoolObject):
    """An image; `size` in MiB, `regtime` in Unix seconds."""

    type: int = 0
    persistent: bool = False
    regtime: int = 0
    path: str = ""
    source: str = ""
    format: str = "raw"
    size: int = 0
    state: int = int(ImageState.LOCKED)
    datastore_id: int = 1
    vms: list[int] = field(default_factory=list)
    template: Template = field(default_factory=Template)
    snapshots: Snapshots = field(default_factory=Snapshots)
    cloning_ops: int = 0
    cloning_id: int = -1
    fails: bool = False
    hangs: bool = False
    due: float | None = None


@dataclass
class Datastore(PoolObject):
    """A datastore; sizes in MiB. `type` is 0 for images, 1 for the system, 2 for files."""

    type: int = 0
    total_mb: int = 0
    free_mb: int = 0
    limit_mb: int = 0


@dataclass
class Network(PoolObject):
    """A network with one range of addresses; `leases` has the VM's id by address.

    With IPv6 prefixes, such as `2001:db8::`, a NIC also has addresses of these.
    """

    bridge: str = ""
    first: str = ""
    size: int = 0
    template: Template = field(default_factory=Template)
    leases: dict[str, int] = field(default_factory=dict)
    global_prefix: str = ""
    ula_prefix: str = ""

    def address(self, number: int) -> str:
        """Return the address of that number, from 0."""
        return str(IPv4Address(self.first) + number)

    def _is_dense(self) -> bool:
        """Tell whether the addresses that are taken are the first ones, judged by the last of them."""
        last = next(reversed(self.leases), None)
        return last is not None and _distance(self.first, last) == len(self.leases) - 1

    def lease(self, vm_id: int, requested: str) -> str | None:
        """Give an address to a VM, None if the requested one or all are taken."""
        if requested:
            number = _distance(self.first, requested)
            free = 0 <= number < self.size and requested not in self.leases
            address = requested if free else None
        else:
            likely = range(len(self.leases), self.size) if self._is_dense() else ()
            numbers = chain(likely, range(self.size))
            address = next((a for a in map(self.address, numbers) if a not in self.leases), None)
        if address is not None:
            self.leases[address] = vm_id
        return address


@dataclass
class VmTemplate(PoolObject):
    """A VM template."""

    regtime: int = 0
    template: Template = field(default_factory=Template)


def _distance(first: str, address: str) -> int:
    try:
        return int(IPv4Address(address)) - int(IPv4Address(first))
    except ValueError:
        return -1
