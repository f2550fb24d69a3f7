"""What depends on the release of the OpenNebula front end, in one place.

StratusLab 14.06 ships OpenNebula 3.2 with patches of its own; it is the only front end so far.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STRATUSLAB_14_06", "FrontEnd"]


@dataclass(frozen=True)
class FrontEnd:
    """The words of one release.

    Attributes:
        destroy, shutdown, reboot, stop, suspend, start: the action of ``one.vm.action`` for each.
        mine, everybodys: the arguments of ``one.vmpool.info``: owner, first id, last id, state.
        rank: the template's ``RANK``, which chooses the host.
        network_owner: the template's ``NETWORK_UNAME``, without which no network is found by name.
        graphics_port: the template's ``GRAPHICS/PORT`` for "any".
        name_length: how many bytes of UTF-8 a VM's name may have.
        name_refused: characters that no name may have.
    """

    destroy: str
    shutdown: str
    reboot: str
    stop: str
    suspend: str
    start: str
    mine: tuple[int, int, int, int]
    everybodys: tuple[int, int, int, int]
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
    rank="- RUNNING_VMS",
    network_owner="oneadmin",
    graphics_port="-1",
    name_length=128,
    name_refused="<&",
)
