"""The methods of OpenNebula 3.2, each with the types of its arguments after the session.

The letters are those of XML-RPC libraries: s for a string, i for an integer, b for a boolean.
"""

from __future__ import annotations

_PERMISSIONS = "i" * 9

METHODS = {
    "one.vm.deploy": "ii",
    "one.vm.action": "si",
    "one.vm.migrate": "iib",
    "one.vm.savedisk": "iiss",
    "one.vm.allocate": "s",
    "one.vm.info": "i",
    "one.vm.chown": "iii",
    "one.vm.chmod": f"i{_PERMISSIONS}",
    "one.vmpool.info": "iiii",
    "one.template.update": "is",
    "one.template.instantiate": "is",
    "one.template.allocate": "s",
    "one.template.delete": "i",
    "one.template.info": "i",
    "one.template.chown": "iii",
    "one.template.chmod": f"i{_PERMISSIONS}",
    "one.templatepool.info": "iii",
    "one.host.enable": "ib",
    "one.host.update": "is",
    "one.host.allocate": "sssss",
    "one.host.delete": "i",
    "one.host.info": "i",
    "one.hostpool.info": "",
    "one.group.allocate": "s",
    "one.group.delete": "i",
    "one.group.info": "i",
    "one.grouppool.info": "",
    "one.vn.addleases": "is",
    "one.vn.rmleases": "is",
    "one.vn.hold": "is",
    "one.vn.release": "is",
    "one.vn.allocate": "s",
    "one.vn.update": "is",
    "one.vn.delete": "i",
    "one.vn.info": "i",
    "one.vn.chown": "iii",
    "one.vn.chmod": f"i{_PERMISSIONS}",
    "one.vnpool.info": "iii",
    "one.user.allocate": "sss",
    "one.user.update": "is",
    "one.user.delete": "i",
    "one.user.info": "i",
    "one.user.passwd": "is",
    "one.user.chgrp": "ii",
    "one.user.chauth": "iss",
    "one.userpool.info": "",
    "one.image.persistent": "ib",
    "one.image.enable": "ib",
    "one.image.update": "is",
    "one.image.allocate": "s",
    "one.image.delete": "i",
    "one.image.info": "i",
    "one.image.chown": "iii",
    "one.image.chmod": f"i{_PERMISSIONS}",
    "one.image.chtype": "is",
    "one.imagepool.info": "iii",
    "one.acl.addrule": "sss",
    "one.acl.delrule": "i",
    "one.acl.info": "",
}

_OBJECTS = {"vm": "VirtualMachine", "vn": "VirtualNetwork"}
_VERBS = {"addrule": "AddRule", "delrule": "DelRule", "addleases": "AddLeases", "rmleases": "RemoveLeases"}


def request_name(method: str) -> str:
    """Return the name of a method in error texts: `VirtualMachinePoolInfo` for `one.vmpool.info`."""
    kind, _, verb = method.removeprefix("one.").partition(".")
    pool = "Pool" if kind.endswith("pool") else ""
    kind = kind.removesuffix("pool")
    return _OBJECTS.get(kind, kind.capitalize()) + pool + _VERBS.get(verb, verb.capitalize())
