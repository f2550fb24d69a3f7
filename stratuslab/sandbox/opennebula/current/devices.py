"""The disks and NICs of VMs: what OpenNebula fills in from images and networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeVar

from stratuslab.sandbox.opennebula.current.objects import PoolObject
from stratuslab.sandbox.opennebula.model.networks import mac_of
from stratuslab.sandbox.opennebula.model.permissions import may_work_with
from stratuslab.sandbox.opennebula.model.states import BEING_MADE, ImageState, ImageType
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, not_authorized
from stratuslab.sandbox.opennebula.template.template import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Account, Image, Network, Vm
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.opennebula.template.template import Vector
    from stratuslab.sandbox.table import Table

_VOLATILE = ("fs", "swap")
_UNUSABLE = (ImageState.DISABLED, ImageState.ERROR, ImageState.DELETE)
_O = TypeVar("_O", bound=PoolObject)


class Devices:
    """Gives disks and NICs to VMs and takes them back. Not thread-safe."""

    def __init__(self, books: Books, release: Release) -> None:
        self._books = books
        self._release = release

    def image_of(self, disk: Vector, user: Account) -> Image | None:
        """Find the image of a disk, None for a volatile one; the text of a RefusalError names no disk."""
        if "IMAGE_ID" in disk:
            image = _numbered(self._books.images, disk["IMAGE_ID"], "Image")
        elif "IMAGE" in disk:
            image = self._named(self._books.images, disk, user, "IMAGE", "an image", "DISK")
        elif disk.get("TYPE", "").lower() in _VOLATILE:
            return None
        else:
            raise RefusalError(Code.INTERNAL, f"Unknown disk type {disk.get('TYPE', '').upper()}")
        if not may_work_with(user, image):
            raise not_authorized(user, "USE IMAGE", image.id)
        return image

    def fill_disk(self, disk: Vector, disk_id: int, image: Image | None, vm: Vm) -> None:
        """Fill in what a disk has from its image; the text of a RefusalError names no disk."""
        disk["DISK_ID"] = str(disk_id)
        if image is None:
            if not number(disk.get("SIZE", "")) or "." in disk["SIZE"]:
                raise RefusalError(Code.INTERNAL, "SIZE attribute must be a positive integer value.")
            disk.setdefault("DEV_PREFIX", "sd")
        else:
            self._fill_from(image, disk)
        if not disk.get("TARGET"):
            disk["TARGET"] = self.free_target(vm, disk["DEV_PREFIX"])

    def fill_system(self, disk: Vector) -> None:
        """Fill in what a volatile disk has once it is on a host."""
        if "IMAGE_ID" not in disk:
            disk.update(
                ALLOW_ORPHANS="NO",
                CLUSTER_ID="0",
                DATASTORE=self._books.datastores[0].name,
                DATASTORE_ID="0",
                DISK_TYPE="FILE",
                TM_MAD="ssh",
            )
            if self._release.has_formats:
                disk.setdefault("FORMAT", "raw")
                disk["DRIVER"] = disk["FORMAT"]
            if self._release.persistent_snapshots:
                disk["PERSISTENT_SNAPSHOTS"] = "YES"

    def free_target(self, vm: Vm, prefix: str) -> str:
        """Return the first device name with this prefix that no disk of the VM has."""
        taken = {vector.get("TARGET") for name in ("DISK", "CONTEXT") for vector in vm.template.vectors(name)}
        letters = "abcdefghijklmnopqrstuvwxyz"
        return next(prefix + letter for letter in letters if prefix + letter not in taken)

    def acquire(self, image: Image, vm: Vm) -> None:
        """Let a VM use an image; the text of a RefusalError names no disk."""
        if image.state in _UNUSABLE or (image.persistent and image.vms):
            why = f"it is in state: {ImageState(image.state).name}"
            if image.persistent and image.vms:
                why = "it is persistent and already in use"
            raise RefusalError(Code.INTERNAL, f"Cannot acquire image {image.id}, {why}")
        image.vms.append(vm.id)
        self.settle(image)

    def release_image(self, image_id: int, vm: Vm) -> None:
        """End the use of an image by a VM."""
        image = self._books.images.get(image_id)
        if image is not None and vm.id in image.vms:
            image.vms.remove(vm.id)
            self.settle(image)

    def settle(self, image: Image) -> None:
        """Put an image into the state that its use makes, unless it is broken or being deleted."""
        if image.state not in _UNUSABLE:
            made = image.state in BEING_MADE and (image.due is not None or image.hangs)
            free, used, used_pers = (
                BEING_MADE if made else (ImageState.READY, ImageState.USED, ImageState.USED_PERS)
            )
            idle = ImageState.CLONE if image.cloning_ops and not made else free
            image.state = (used_pers if image.persistent else used) if image.vms else idle
        self._books.images[image.id] = image

    def network_of(self, nic: Vector, user: Account) -> Network | None:
        """Find the network that a NIC names, None if the scheduler will choose; raises RefusalError."""
        if nic.get("NETWORK_ID"):
            return _numbered(self._books.networks, nic["NETWORK_ID"], "Virtual network")
        if nic.get("NETWORK"):
            return self._named(self._books.networks, nic, user, "NETWORK", "a network", "NIC")
        return None

    def fill_nic(self, nic: Vector, nic_id: int, network: Network | None, vm: Vm) -> None:
        """Give a NIC an address; raises RefusalError."""
        nic["NIC_ID"] = str(nic_id)
        nic.setdefault("NAME", f"NIC{nic_id}")
        if network is None:
            return
        address = network.lease(vm.id, nic.get("IP", ""))
        if address is None:
            text = f"Cannot get IP/MAC lease from virtual network {network.id}."
            raise RefusalError(Code.INTERNAL, text)
        self._books.networks[network.id] = network
        nic.update(
            AR_ID="0",
            BRIDGE=network.bridge,
            BRIDGE_TYPE="linux",
            CLUSTER_ID="0",
            IP=address,
            MAC=mac_of(IPv4Address(address)),
            NETWORK=network.name,
            NETWORK_ID=str(network.id),
            SECURITY_GROUPS="0",
            TARGET=f"one-{vm.id}-{nic_id}",
            VN_MAD="bridge",
        )
        prefixes = {"IP6_GLOBAL": network.global_prefix, "IP6_ULA": network.ula_prefix}
        if any(prefixes.values()):
            prefixes["IP6_LINK"] = "fe80::"
        nic.update({name: _within(prefix, nic["MAC"]) for name, prefix in prefixes.items() if prefix})
        if self._release.has_uuids:
            for name in ("DNS", "GATEWAY"):
                if network.template.single(name):
                    nic[name] = network.template.single(name)

    def give_back(self, vm: Vm, nics: Iterable[Vector] | None = None) -> None:
        """Take back the addresses of a VM's NICs, by default of all."""
        addresses = None if nics is None else {nic.get("IP") for nic in nics}
        for network in self._books.networks.values():
            gone = [
                address
                for address, holder in network.leases.items()
                if holder == vm.id and (addresses is None or address in addresses)
            ]
            for address in gone:
                del network.leases[address]
            if gone:
                self._books.networks[network.id] = network

    def context_of(self, nic: Vector) -> dict[str, str]:
        """Return what CONTEXT says of a NIC with an address."""
        network = self._books.networks[int(nic["NETWORK_ID"])]
        names = (
            "DNS EXTERNAL GATEWAY IP IP6 IP6_PREFIX_LENGTH IP6_ULA MAC MASK METRIC MTU NETWORK"
            " SEARCH_DOMAIN VLAN_ID VROUTER_IP VROUTER_IP6 VROUTER_MANAGEMENT"
        )
        values = dict.fromkeys([*names.split(), *self._release.context_of_nic], "")
        mask = network.template.single("NETWORK_MASK") or "255.255.255.0"
        values.update(
            DNS=network.template.single("DNS"),
            GATEWAY=network.template.single("GATEWAY"),
            IP=nic["IP"],
            IP6=nic.get("IP6_GLOBAL", ""),
            IP6_ULA=nic.get("IP6_ULA", ""),
            MAC=nic["MAC"],
            MASK=mask,
            NETWORK=str(IPv4Address(int(IPv4Address(nic["IP"])) & int(IPv4Address(mask)))),
        )
        return {f"ETH{nic['NIC_ID']}_{name}": value for name, value in values.items()}

    def _named(
        self, table: Table[int, _O], vector: Vector, user: Account, key: str, what: str, part: str
    ) -> _O:
        name, uname = vector[key], vector.get(f"{key}_UNAME", user.name)
        for item in table.values():
            if item.name == name and self._books.uname(item.uid) == uname:
                return item
        owner = self._books.user_named(uname)
        raise RefusalError(
            Code.INTERNAL,
            f"User {owner.uid if owner else -1} does not own {what} with name: {name} ."
            f" Set {key}_UNAME or {key}_UID of owner in {part}.",
        )

    def _fill_from(self, image: Image, disk: Vector) -> None:
        is_cdrom = image.type == ImageType.CDROM
        size = number(disk.get("SIZE", "")) or image.size
        if size < image.size and not image.persistent:
            text = f"SIZE of {disk['SIZE']}MB is less than the image [{image.id}] size of {image.size}MB."
            raise RefusalError(Code.INTERNAL, text)
        disk.setdefault("DEV_PREFIX", image.template.single("DEV_PREFIX") or "sd")
        disk.update(
            ALLOW_ORPHANS="NO",
            CLONE="NO" if image.persistent or is_cdrom else "YES",
            CLONE_TARGET="SYSTEM",
            CLUSTER_ID="0",
            DATASTORE=self._books.datastores[image.datastore_id].name,
            DATASTORE_ID=str(image.datastore_id),
            DISK_SNAPSHOT_TOTAL_SIZE="0",
            DISK_TYPE="FILE",
            IMAGE=image.name,
            IMAGE_ID=str(image.id),
            IMAGE_STATE=str(int(image.state)),
            LN_TARGET="NONE",
            ORIGINAL_SIZE=str(image.size),
            READONLY="YES" if is_cdrom else disk.get("READONLY", "NO"),
            SAVE="YES" if image.persistent else "NO",
            SIZE=str(image.size) if image.persistent else f"{size:.0f}",
            SOURCE=image.source,
            TM_MAD="ssh",
            TYPE="CDROM" if is_cdrom else "FILE",
        )
        if self._release.has_formats:
            disk.update(FORMAT=image.format, DRIVER=image.format)
        elif image.template.single("DRIVER"):
            disk["DRIVER"] = image.template.single("DRIVER")
        if image.persistent:
            disk["PERSISTENT"] = "YES"
        if self._release.persistent_snapshots:
            disk["PERSISTENT_SNAPSHOTS"] = "YES"


def _numbered(table: Table[int, _O], text: str, what: str) -> _O:
    if not text.isdecimal() or int(text) not in table:
        raise RefusalError(Code.INTERNAL, f"{what} with ID: {text} does not exist")
    return table[int(text)]


def _within(prefix: str, mac: str) -> str:
    """Return the IPv6 address that a machine gives itself, made of its MAC address."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return str(IPv6Address(int(IPv6Address(prefix)) | int.from_bytes(interface, "big")))
