"""What each OpenNebula of the sandbox has at the start."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import read_template
from stratuslab.sandbox.opennebula.current.objects import (
    ONEADMIN,
    USERS,
    Account,
    Datastore,
    Image,
    Network,
    VmTemplate,
)
from stratuslab.sandbox.opennebula.model.permissions import USED_BY_ALL, USED_BY_GROUP
from stratuslab.sandbox.opennebula.model.states import ImageState
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork

_SYSTEM, _DEFAULT, _SSD = 0, 1, 100
_TERABYTE = 1024 * 1024
_IMAGES = {
    "debian-12": ("Debian 12 (bookworm), cloud image", 2048),
    "ubuntu-24.04": ("Ubuntu 24.04 LTS, cloud image", 3072),
    "alma-9": ("AlmaLinux 9, cloud image", 4096),
}
_VM_TEMPLATES = {
    "small": """
        CPU = "1"
        VCPU = "1"
        MEMORY = "512"
        DESCRIPTION = "A small machine"
        HYPERVISOR = "kvm"
        DISK = [ IMAGE_ID = "0" ]
        NIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]
        GRAPHICS = [ TYPE = "vnc", LISTEN = "127.0.0.1" ]
        CONTEXT = [ NETWORK = "YES", SSH_PUBLIC_KEY = "$USER[SSH_PUBLIC_KEY]" ]
        """,
    "medium": """
        CPU = "2"
        VCPU = "2"
        MEMORY = "2048"
        DISK = [ IMAGE = "ubuntu-24.04", IMAGE_UNAME = "oneadmin", SIZE = "8192", DEV_PREFIX = "vd" ]
        DISK = [ TYPE = "swap", SIZE = "1024" ]
        NIC = [ NETWORK = "local", NETWORK_UNAME = "oneadmin" ]
        CONTEXT = [ NETWORK = "YES", SSH_PUBLIC_KEY = "$USER[SSH_PUBLIC_KEY]",
                    START_SCRIPT_BASE64 = "ZWNobyBoaQo=" ]
        USER_INPUTS = [ CPU = "O|list||1,2,4|2" ]
        """,
}


def fill(books: Books, passwords: Mapping[str, str], networks: Sequence[VirtualNetwork], now: float) -> None:
    """Put users, datastores, networks, images and VM templates into empty books."""
    for name in ("oneadmin", "serveradmin", *passwords):
        user = Account(books.next_ids.take("user"), name, USERS if name in passwords else ONEADMIN)
        user.password_hash = hashlib.sha256(passwords.get(name, "").encode()).hexdigest()
        books.users[user.uid] = user
    for datastore in (
        Datastore(_SYSTEM, 0, 0, "system", USED_BY_GROUP, type=1, total_mb=_TERABYTE, free_mb=_TERABYTE),
        Datastore(_DEFAULT, 0, 0, "default", USED_BY_GROUP, total_mb=_TERABYTE, free_mb=_TERABYTE),
        Datastore(_SSD, 0, 0, "ssd", USED_BY_GROUP, total_mb=_TERABYTE // 4, free_mb=_TERABYTE // 4),
    ):
        books.datastores[datastore.id] = datastore
    for network in networks:
        settings = {"DNS": "192.0.2.53", "GATEWAY": str(network.first), "NETWORK_MASK": "255.255.0.0"}
        books.networks[network.id] = Network(
            books.next_ids.take("network"),
            0,
            0,
            network.name,
            USED_BY_ALL,
            bridge=network.bridge,
            first=str(network.first + 9),
            size=int(network.last) - int(network.first) - 9,
            template=Template([*settings.items()]),
        )
    for name, (description, size) in _IMAGES.items():
        image_id = books.next_ids.take("image")
        books.images[image_id] = Image(
            image_id,
            0,
            0,
            name,
            USED_BY_ALL,
            regtime=int(now),
            path=f"https://images.example.org/{name}.qcow2",
            source=f"/var/lib/one/datastores/1/{image_id}",
            format="qcow2",
            size=size,
            state=ImageState.READY,
            datastore_id=_DEFAULT,
            template=Template([("DESCRIPTION", description), ("DEV_PREFIX", "sd")]),
        )
    for name, text in _VM_TEMPLATES.items():
        template_id = books.next_ids.take("template")
        template = read_template(text)
        books.templates[template_id] = VmTemplate(
            template_id, 0, 0, name, USED_BY_ALL, regtime=int(now), template=template
        )
