"""The methods of OpenNebula, each with the types of its arguments after the session: here those of 3.2."""

from __future__ import annotations

import re


def methods_in(table: str) -> dict[str, str]:
    """Read a table of methods: `vm: info(i)` is `one.vm.info` with an integer.

    The letters are those of XML-RPC libraries: s for a string, i for an integer, b for a boolean.
    """
    kind = ""
    methods = {}
    for name, verb, types in re.findall(r"(\w+):|(\w+)\((\w*)\)", table):
        kind = name or kind
        if verb:
            methods[f"one.{kind}.{verb}"] = types
    return methods


METHODS = methods_in(
    """
    vm: deploy(ii) action(si) migrate(iib) savedisk(iiss) allocate(s) info(i) chown(iii)
        chmod(iiiiiiiiii)
    vmpool: info(iiii)
    template: update(is) instantiate(is) allocate(s) delete(i) info(i) chown(iii) chmod(iiiiiiiiii)
    templatepool: info(iii)
    host: enable(ib) update(is) allocate(sssss) delete(i) info(i)
    hostpool: info()
    group: allocate(s) delete(i) info(i)
    grouppool: info()
    vn: addleases(is) rmleases(is) hold(is) release(is) allocate(s) update(is) delete(i) info(i)
        chown(iii) chmod(iiiiiiiiii)
    vnpool: info(iii)
    user: allocate(sss) update(is) delete(i) info(i) passwd(is) chgrp(ii) chauth(iss)
    userpool: info()
    image: persistent(ib) enable(ib) update(is) allocate(s) delete(i) info(i) chown(iii)
        chmod(iiiiiiiiii) chtype(is)
    imagepool: info(iii)
    acl: addrule(sss) delrule(i) info()
    """
)

_OBJECTS = {"vm": "VirtualMachine", "vn": "VirtualNetwork"}
_VERBS = {"addrule": "AddRule", "delrule": "DelRule", "addleases": "AddLeases", "rmleases": "RemoveLeases"}


def request_name(method: str) -> str:
    """Return the name of a method in error texts: `VirtualMachinePoolInfo` for `one.vmpool.info`."""
    kind, _, verb = method.removeprefix("one.").partition(".")
    pool = "Pool" if kind.endswith("pool") else ""
    kind = kind.removesuffix("pool")
    return _OBJECTS.get(kind, kind.capitalize()) + pool + _VERBS.get(verb, verb.capitalize())
