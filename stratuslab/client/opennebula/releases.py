"""What depends on the release of the OpenNebula front end, in one place.

StratusLab 14.06 ships OpenNebula 3.2 with patches of its own. From 5.12 to 7.4 there is one dialect: of some
515 recorded calls 15 differ, and of those only the short list of VMs matters here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

__all__ = ["OPENNEBULA_5_12", "OPENNEBULA_6", "STRATUSLAB_14_06", "FrontEnd", "front_end_of"]

_RELEASE = re.compile(r"\s*([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True)
class FrontEnd:
    """The words of one release.

    :param destroy: the action of ``one.vm.action`` that ends a VM at once.
    :param shutdown: the action that asks the guest to shut down.
    :param reboot: the action that reboots a VM.
    :param stop: the action that stops a VM and frees its host.
    :param suspend: the action that suspends a VM on its host.
    :param start: the action that starts a stopped or suspended VM again.
    :param mine: the arguments of the list of the user's own VMs: owner, first id, last id, state.
    :param everybodys: the same, of the list of all VMs that the user may see.
    :param list_call: the call for the list of VMs.
    :param detailed_list_call: the call for the list that holds all that is known of them.
    :param marks_found_by_id: the list can be asked for the VMs from an id on, also for those that are done.
    :param has_pools: images, datablocks, networks and VM templates are OpenNebula's own.
    :param accepted_is_not_done: an action that was accepted may fail later, or be refused in passing states.
    :param rank: the template's ``RANK``, which chooses the host; StratusLab only.
    :param network_owner: the template's ``NETWORK_UNAME``, without which no network is found by name.
    :param graphics_port: the template's ``GRAPHICS/PORT`` for "any"; StratusLab only.
    :param name_length: how many bytes of UTF-8 a VM's name may have.
    :param name_refused: characters that no name may have.
    """

    destroy: str
    shutdown: str
    reboot: str
    stop: str
    suspend: str
    start: str
    mine: tuple[int, int, int, int]
    everybodys: tuple[int, int, int, int]
    list_call: str
    detailed_list_call: str
    marks_found_by_id: bool
    has_pools: bool
    accepted_is_not_done: bool
    rank: str
    network_owner: str
    graphics_port: str
    name_length: int
    name_refused: str


STRATUSLAB_14_06 = FrontEnd(
    destroy="finalize",
    shutdown="shutdown",
    reboot="reboot",
    stop="stop",
    suspend="suspend",
    start="resume",
    mine=(-3, -1, -1, -1),
    everybodys=(-2, -1, -1, -1),
    list_call="one.vmpool.info",
    detailed_list_call="one.vmpool.info",
    marks_found_by_id=False,
    has_pools=False,
    accepted_is_not_done=False,
    rank="- RUNNING_VMS",
    network_owner="oneadmin",
    graphics_port="-1",
    name_length=128,
    name_refused="<&",
)

OPENNEBULA_6 = replace(
    STRATUSLAB_14_06,
    destroy="terminate-hard",
    shutdown="terminate",
    stop="poweroff",
    detailed_list_call="one.vmpool.infoextended",
    marks_found_by_id=True,
    has_pools=True,
    accepted_is_not_done=True,
    name_refused="&|:\\\";/'#{}$<>\t",
)

OPENNEBULA_5_12 = replace(OPENNEBULA_6, list_call="one.vmpool.infoextended")
"""Its short list lacks the number of CPUs."""


def front_end_of(version: str) -> FrontEnd | None:
    """Return the words of a release, as ``6.10.5``; None for one that this package does not speak."""
    found = _RELEASE.match(version)
    release = (int(found[1]), int(found[2])) if found else (0, 0)
    if release < (5, 12):
        return None
    return OPENNEBULA_5_12 if release < (6, 0) else OPENNEBULA_6
