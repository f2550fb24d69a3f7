"""VMs as Libcloud's nodes."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from libcloud.compute.base import Node, NodeImage, NodeSize
from libcloud.compute.types import NodeState
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.libcloud.arguments import one_of, several
from stratuslab.libcloud.size import StratusLabNodeSize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from libcloud.compute.base import NodeLocation
    from stratuslab.client.opennebula.vm import HistoryRecord, VirtualMachine, VmNic
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["NODE_STATES", "StratusLabNode", "iso_text", "node_of", "node_states", "state_of"]

NODE_STATES: dict[VmState, NodeState] = {
    VmState.PENDING: NodeState.PENDING,
    VmState.STARTING: NodeState.STARTING,
    VmState.RUNNING: NodeState.RUNNING,
    VmState.MIGRATING: NodeState.MIGRATING,
    VmState.STOPPING: NodeState.STOPPING,
    VmState.TERMINATING: NodeState.STOPPING,
    VmState.STOPPED: NodeState.STOPPED,
    VmState.SUSPENDED: NodeState.SUSPENDED,
    VmState.TERMINATED: NodeState.TERMINATED,
    VmState.ERROR: NodeState.ERROR,
    VmState.UNKNOWN: NodeState.UNKNOWN,
}

_IPV6 = 6
_UNIQUE_LOCAL = ipaddress.ip_network("fc00::/7")
_CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")
_REMEMBERED_ADDRESSES = 4096
"""Programs list the same nodes again and again, and an address takes as long to read as half a node."""
_STILL_PENDING = frozenset({"LCM_INIT", "PROLOG"})
"""The guest has not been started: its disks are being copied."""


class StratusLabNode(Node):
    """A VM.

    ``state``, ``host``, the addresses and ``extra`` are at most ``ex_state_max_age`` seconds old (an
    argument of the driver): reading ``state`` or ``host`` asks the cloud again once they are older
    (``one.vm.info``), unless the VM is terminated. ``repr``, comparison, copying and pickling send
    nothing.

    ``location`` is where the VM is, ``host`` the cloud's machine it is or was last on (None before
    there is one). ``created_at``, ``ended_at`` (None before the end) and the times in ``history``, a list
    of :class:`~stratuslab.client.opennebula.vm.HistoryRecord`, are in UTC. ``extra`` is plain data, which
    ``json.dumps`` takes; its times are ISO 8601 text:

    ==================== =====================================================================
    ``location``         the id of the location
    ``owner``, ``group`` the cloud's user and group
    ``state``            the cloud's own word for the state, as in ``PROLOG``
    ``host``             as the attribute
    ``cpu``              CPUs of the guest, or None where the cloud does not say
    ``cpu_share``        CPUs reserved on the host, or None
    ``ram_mib``          memory in MiB
    ``swap_mib``         swap in MiB
    ``disks``            dictionaries with the fields of :class:`~stratuslab.client.opennebula.vm.VmDisk`
    ``networks``         dictionaries with ``network``, ``ip``, ``mac``, and where there are
                         any ``external`` and ``others``, an outer and further addresses
    ``history``          dictionaries with ``hostname``, ``started``, ``ended``, oldest first
    ``deploy_id``        the hypervisor's name of the VM, or None
    ``requirements``     what was required of the host, or None
    ``inbound_ports``    ports on which the image serves, as text
    ``metadata``         what ``ex_metadata`` of ``create_node`` said, as a dictionary of texts
    ``token``            the mark by which ``ex_find_node`` finds the VM, or None
    ``attributes``       what users and the cloud have added to the VM, by OpenNebula's names
    ``template_id``      the number of the VM template it was made from, or None
    ``graphics``         the VNC display, as the cloud describes it
    ``error``            why the VM failed, or None
    ``waiting``          why the VM is not started yet, where the cloud says so, or None
    ``used_ram_kib``     memory in use in KiB, and
    ``used_cpu_percent`` CPU in use in percent, as last measured, or None
    ``ended_at``         the end of the VM, or None
    ==================== =====================================================================

    ``list_nodes`` reads OpenNebula's short list: what that does not say (``inbound_ports``, ``metadata``,
    ``token``, ``attributes``, ``template_id``, ``requirements``, sources and targets of disks) is None unless
    ``ex_details``.
    """

    id: str  # never None: every VM has a number
    extra: dict[str, Any]
    driver: StratusLabNodeDriver
    image: NodeImage | None
    size: NodeSize | None
    created_at: datetime
    ended_at: datetime | None
    history: list[HistoryRecord]

    def __init__(
        self,
        node_id: str,
        name: str,
        state: NodeState,
        public_ips: list[str],
        private_ips: list[str],
        driver: StratusLabNodeDriver,
        location: NodeLocation,
        size: NodeSize | None = None,
        image: NodeImage | None = None,
        extra: dict[str, Any] | None = None,
        created_at: datetime | None = None,
    ) -> None:
        self.location = location
        self.ended_at = None
        self.history = []
        super().__init__(
            node_id,
            name,
            state,
            public_ips,
            private_ips,
            driver,
            size=size,
            image=image,
            extra=extra,
            created_at=created_at or datetime.now(timezone.utc),
        )

    @property
    def state(self) -> NodeState:
        """Libcloud's state of the VM."""
        self._refresh_if_old()
        return self._state

    @state.setter
    def state(self, value: NodeState) -> None:
        vars(self)["state"] = value  # where consumers that cache nodes look for it
        self._asked: float | None = time.monotonic()

    @property
    def _state(self) -> NodeState:
        """The state as it was last seen; reading it sends nothing."""
        state: NodeState = vars(self)["state"]
        return state

    @property
    def host(self) -> str | None:
        """The machine of the cloud on which the VM is, or was last."""
        self._refresh_if_old()
        host: str | None = self.extra.get("host")
        return host

    def get_uuid(self) -> str:
        """Return a name for the VM that no VM of another location has.

        OpenNebula counts from 0 at every site; Libcloud would give two VMs one name.
        """
        if not self._uuid:
            name = f"{self.id}@{self.location.id}:{self.driver.type}"
            self._uuid = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        return self._uuid

    def expire(self) -> None:
        """Make the next reading of ``state`` or ``host`` ask the cloud."""
        self._asked = None

    def update(self, vm: VirtualMachine) -> None:
        """Take over what the cloud says now; size and image stay as they are."""
        self.name = vm.name
        self.state = state_of(vm)
        self.public_ips, self.private_ips = _addresses(vm)
        self.extra = _extra(vm, self.location.id)
        self.note_times(vm)

    def note_times(self, vm: VirtualMachine) -> None:
        """Take over the times that ``extra`` has as text."""
        self.ended_at = vm.ended
        self.history = list(vm.history)

    def _refresh_if_old(self) -> None:
        if self._state == NodeState.TERMINATED:
            return
        asked = self._asked
        if asked is None or time.monotonic() - asked > self.driver.ex_state_max_age:
            self.driver.ex_refresh_node(self)

    def __repr__(self) -> str:
        return (
            f"<Node: uuid={self.uuid}, name={self.name}, state={NodeState.tostring(self._state)}, "
            f"public_ips={self.public_ips}, private_ips={self.private_ips}, "
            f"provider={self.driver.name} ...>"
        )


def node_states(argument: str, states: NodeState | str | Sequence[NodeState | str]) -> list[NodeState]:
    """Return one state or several, each as ``NodeState.RUNNING`` or ``"running"``."""
    listed = [states] if isinstance(states, str) else several(argument, states)
    if not listed:
        raise InvalidArgumentError(f"found {states!r}; give a NodeState", argument=argument)
    known = {str(state.value): state for state in NodeState}
    return [
        known[one_of(argument, str(getattr(state, "value", state)).lower(), list(known))] for state in listed
    ]


def iso_text(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 text, which is plain data."""
    return None if moment is None else moment.isoformat()


def state_of(vm: VirtualMachine) -> NodeState:
    """Return a VM's state in Libcloud's words."""
    return NodeState.PENDING if vm.state_label in _STILL_PENDING else NODE_STATES[vm.state]


def node_of(
    vm: VirtualMachine,
    location: NodeLocation,
    driver: StratusLabNodeDriver,
    *,
    size: NodeSize | None = None,
    image: NodeImage | None = None,
    known_sizes: Mapping[tuple[int, int, int], NodeSize] | None = None,
) -> StratusLabNode:
    """Return a VM as a node; unless given, ``size`` and ``image`` are found from the VM.

    ``known_sizes`` are sizes by CPUs, RAM and swap in MiB.
    """
    public_ips, private_ips = _addresses(vm)
    node = StratusLabNode(
        str(vm.id),
        vm.name,
        state_of(vm),
        public_ips,
        private_ips,
        driver,
        location,
        size=size or _size(vm, driver, known_sizes or {}),
        image=image or _image(vm, location.id, driver),
        extra=_extra(vm, location.id),
        created_at=vm.created,
    )
    node.note_times(vm)
    return node


def _addresses(vm: VirtualMachine) -> tuple[list[str], list[str]]:
    public: list[str] = []
    private: list[str] = []
    for nic in vm.nics:
        if nic.ip:
            (public if _is_public(nic.network, nic.ip) else private).append(nic.ip)
        if nic.external:
            (public if _is_public("public", nic.external) else private).append(nic.external)
        for address in filter(_reachable, nic.others):
            (public if _is_public(nic.network, address) else private).append(address)
    # What the guest says of itself repeats what the cloud has given it.
    public = list(dict.fromkeys(public))
    return public, [address for address in dict.fromkeys(private) if address not in public]


def _reachable(address: str) -> bool:
    """Return whether an address leads to the node from elsewhere, as one of its loopback or link does not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return not found.is_loopback and not found.is_link_local


@lru_cache(_REMEMBERED_ADDRESSES)
def _is_public(network: str | None, address: str) -> bool:
    """Decide by StratusLab's names of networks, or for other names by the address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return network not in ("local", "private")
    if found in _UNIQUE_LOCAL or found in _CARRIER_GRADE_NAT:
        return False
    if network in ("public", "local", "private"):
        return network == "public"
    return found.version == _IPV6 or found.is_global


def _size(
    vm: VirtualMachine, driver: StratusLabNodeDriver, known: Mapping[tuple[int, int, int], NodeSize]
) -> NodeSize | None:
    """Return a known size, else one of the VM's own, None where the number of CPUs is not known."""
    if not vm.cpu_is_known:
        return None
    size = known.get((vm.cpu, vm.ram_mib, vm.swap_mib))
    if size is not None:
        return size
    name = f"{vm.id}_size"
    return StratusLabNodeSize(name, name, vm.ram_mib, 0, None, None, driver, cpu=vm.cpu, swap=vm.swap_mib)


def _image(vm: VirtualMachine, location_id: str, driver: StratusLabNodeDriver) -> NodeImage | None:
    """Return the image or the volume from which the VM was made, None where it does not say."""
    disk = vm.root_disk
    place = {"location": location_id}
    if disk is not None and disk.image_id is not None:
        number = str(disk.image_id)
        return NodeImage(number, disk.image or number, driver, extra=place)
    source = (disk.source if disk else None) or ""
    _, found, path = source.partition("/metadata/")
    identifier = path.partition("/")[0] if found else ""
    if source.startswith("pdisk:"):
        identifier = source.rpartition("/")[2].rpartition(":")[2]
        return NodeImage(identifier, identifier, driver, extra=place)
    return NodeImage(identifier, identifier, driver) if identifier else None


def _extra(vm: VirtualMachine, location_id: str) -> dict[str, Any]:
    return {
        "location": location_id,
        "owner": vm.owner,
        "group": vm.group,
        "state": vm.state_label,
        "host": vm.host,
        "cpu": vm.cpu if vm.cpu_is_known else None,
        "cpu_share": vm.cpu_share,
        "ram_mib": vm.ram_mib,
        "swap_mib": vm.swap_mib,
        "disks": [
            {
                "disk_id": disk.disk_id,
                "source": disk.source,
                "type": disk.type,
                "target": disk.target,
                "size_mib": disk.size_mib,
                "save": disk.save,
                "image_id": disk.image_id,
                "image": disk.image,
            }
            for disk in vm.disks
        ],
        "networks": [_network(nic) for nic in vm.nics],
        "history": [
            {
                "hostname": record.hostname,
                "started": iso_text(record.started),
                "ended": iso_text(record.ended),
            }
            for record in vm.history
        ],
        "deploy_id": vm.deploy_id,
        "requirements": vm.requirements,
        "inbound_ports": None if vm.is_short else list(vm.inbound_ports),
        "metadata": None if vm.is_short else dict(vm.metadata),
        "attributes": None if vm.is_short else dict(vm.attributes),
        "template_id": vm.template_id,
        "token": vm.token,
        "graphics": dict(vm.graphics),
        "error": vm.error,
        "waiting": vm.waiting,
        "used_ram_kib": vm.used_ram_kib,
        "used_cpu_percent": vm.used_cpu_percent,
        "ended_at": iso_text(vm.ended),
    }


def _network(nic: VmNic) -> dict[str, Any]:
    network: dict[str, Any] = {"network": nic.network, "ip": nic.ip, "mac": nic.mac}
    if nic.external:
        network["external"] = nic.external
    if nic.others:
        network["others"] = list(nic.others)
    return network
