"""Quotas: what users and groups may use of an OpenNebula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.states import VmState
from stratuslab.sandbox.opennebula.refusals import forbidden
from stratuslab.sandbox.opennebula.template.template import Template, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Account, Image, Vm

Usage = dict[tuple[str, str, str], float]
"""How much is used, by section (VM, DATASTORE, NETWORK, IMAGE), id and name."""

_SECTIONS = {
    "DATASTORE": ("IMAGES", "SIZE"),
    "NETWORK": ("LEASES",),
    "VM": (
        "CPU", "MEMORY", "RUNNING_CPU", "RUNNING_MEMORY", "RUNNING_VMS", "SYSTEM_DISK_SIZE", "VMS",
    ),
    "IMAGE": ("RVMS",),
}  # fmt: skip
_STOPPED = (VmState.STOPPED, VmState.SUSPENDED, VmState.POWEROFF, VmState.UNDEPLOYED)
_UNLIMITED = ("-1", "-2")


class Quotas:
    """Counts what is used and compares it with the limits. Not thread-safe."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def check(self, user: Account, wanted: Usage) -> None:
        """Refuse what would go beyond a limit of the user or of the group; raises RefusalError."""
        if user.is_admin:
            return
        limits: list[tuple[str, Mapping[str, str], bool]] = [
            (f"user [{user.uid}]", user.quotas, False),
            (f"group [{user.gid}]", self._books.group_quotas, True),
        ]
        for who, quotas, of_group in limits:
            if not any(limit not in _UNLIMITED for limit in quotas.values()):
                continue
            used = self.usage(user, of_group=of_group)
            for (section, section_id, name), amount in wanted.items():
                limit = quotas.get(f"{section}/{section_id}/{name}", "-1")
                total = used.get((section, section_id, name), 0.0) + amount
                if limit not in _UNLIMITED and amount > 0 and total > float(limit):
                    which = f" with ID: {section_id}" if section_id else ""
                    text = f"{who} limit of {limit} reached for {name} quota in {section}{which}."
                    raise forbidden(user, text)

    def usage(self, user: Account, *, of_group: bool = False) -> Usage:
        """Return what a user, or all users, have now."""
        total: Usage = {}
        for vm in self._books.vms.values():
            if vm.state != VmState.DONE and (of_group or vm.uid == user.uid):
                _add(total, usage_of(vm, runs=vm.state not in _STOPPED))
        for image in self._books.images.values():
            if of_group or image.uid == user.uid:
                _add(total, usage_of_image(image))
        return total

    def document(self, user: Account) -> str:
        """Return the elements of `one.user.info` that tell limits and use."""
        used = self.usage(user)
        keys = {(section, section_id) for section, section_id, _ in used}
        keys |= {(key.split("/")[0], key.split("/")[1]) for key in user.quotas}
        parts = []
        for section, names in _SECTIONS.items():
            items = []
            for _, section_id in sorted(key for key in keys if key[0] == section):
                values = {"ID": section_id} if section_id else {}
                for name in names:
                    values[name] = user.quotas.get(f"{section}/{section_id}/{name}", "-1")
                    values[f"{name}_USED"] = _plain(used.get((section, section_id, name), 0.0))
                items.append(Template([(section, values)]).elements())
            parts.append(f"<{section}_QUOTA>{''.join(items)}</{section}_QUOTA>")
        return "".join(parts)


def usage_of(vm: Vm, *, runs: bool = True) -> Usage:
    """Return what a VM takes of each quota."""
    cpu, memory = (number(vm.template.single(name)) or 0.0 for name in ("CPU", "MEMORY"))
    used: Usage = {("VM", "", "VMS"): 1, ("VM", "", "CPU"): cpu, ("VM", "", "MEMORY"): memory}
    if runs:
        used.update(
            {
                ("VM", "", "RUNNING_VMS"): 1,
                ("VM", "", "RUNNING_CPU"): cpu,
                ("VM", "", "RUNNING_MEMORY"): memory,
            }
        )
    system = ("VM", "", "SYSTEM_DISK_SIZE")
    used[system] = 0.0
    for disk in vm.template.vectors("DISK"):
        if disk.get("PERSISTENT") != "YES":
            used[system] += number(disk.get("SIZE", "0")) or 0.0
        if "IMAGE_ID" in disk:
            _add(used, {("IMAGE", disk["IMAGE_ID"], "RVMS"): 1})
    for nic in vm.template.vectors("NIC"):
        if "NETWORK_ID" in nic:
            _add(used, {("NETWORK", nic["NETWORK_ID"], "LEASES"): 1})
    return used


def usage_of_image(image: Image) -> Usage:
    """Return what an image takes of each quota."""
    datastore = str(image.datastore_id)
    return {("DATASTORE", datastore, "IMAGES"): 1, ("DATASTORE", datastore, "SIZE"): image.size}


def changed_quotas(template: Template) -> dict[str, str]:
    """Return the limits that a template of `one.user.quota` sets, by section, id and name."""
    changes = {}
    for section, names in _SECTIONS.items():
        for vector in template.vectors(section):
            for name in names:
                if name in vector:
                    changes[f"{section}/{vector.get('ID', '')}/{name}"] = vector[name]
    return changes


def _add(total: Usage, more: Usage) -> None:
    for key, amount in more.items():
        total[key] = total.get(key, 0.0) + amount


def _plain(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else f"{amount:.2f}"
