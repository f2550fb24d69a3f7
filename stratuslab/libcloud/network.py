"""A cloud's networks as Libcloud's other drivers show theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stratuslab.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StratusLabNetwork", "names_of_networks"]


@dataclass(frozen=True)
class StratusLabNetwork:
    """A network that a node can have its address on.

    At a StratusLab cloud ``id`` and ``name`` are the same: ``public``, ``local`` or ``private``; ``free``,
    the number of addresses left, is known at an OpenNebula cloud. ``extra`` holds ``location``, and there
    ``owner``, ``size`` (how many addresses it has) and ``cidr``.
    """

    id: str
    name: str
    free: int | None = None
    extra: dict[str, Any] = field(default_factory=dict, compare=False)


def names_of_networks(
    networks: Sequence[StratusLabNetwork] | None,
    network: str | int | StratusLabNetwork | None,
    location_id: str,
) -> list[str]:
    """Return what ``networks`` or ``ex_network`` names; none where neither does.

    :raises InvalidArgumentError: for a value that is not a network, or one of another location.
    """
    if networks is not None and network is not None:
        raise InvalidArgumentError(
            f"found {network!r}, and networks; give one of the two", argument="ex_network"
        )
    if networks is None:
        if network is None:
            return []
        if isinstance(network, StratusLabNetwork):
            return [_id_at(network, location_id, "ex_network")]
        if isinstance(network, bool) or not isinstance(network, (str, int)) or not str(network):
            raise InvalidArgumentError(
                f"found {network!r}; give the name or id of a network", argument="ex_network"
            )
        return [str(network)]
    is_list = isinstance(networks, (list, tuple)) and networks
    if not is_list or not all(isinstance(one, StratusLabNetwork) for one in networks):
        raise InvalidArgumentError(
            f"found {networks!r}; give a list of one or more of ex_list_networks(), or the name of one "
            "as ex_network",
            argument="networks",
        )
    return [_id_at(one, location_id, "networks") for one in networks]


def _id_at(network: StratusLabNetwork, location_id: str, argument: str) -> str:
    # A number is another network's at each location.
    stated = (network.extra or {}).get("location")
    if isinstance(stated, str) and stated != location_id:
        raise InvalidArgumentError(
            f"found a network of {stated!r}; give one of ex_list_networks({location_id!r})", argument=argument
        )
    return network.id
