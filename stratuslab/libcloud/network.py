"""A StratusLab cloud's networks as Libcloud's other drivers show theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.vm_template import NETWORKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratuslab.client.opennebula.vm_template import Network

__all__ = ["StratusLabNetwork", "network_of"]


@dataclass(frozen=True)
class StratusLabNetwork:
    """A network that a node can have its address on; ``id`` and ``name`` are the same."""

    id: Network
    name: Network


def network_of(networks: Sequence[StratusLabNetwork] | None, otherwise: Network) -> Network:
    """Return the one network of a list, ``otherwise`` where there is no list.

    Raises :class:`~stratuslab.client.errors.InvalidArgumentError` unless it holds just one.
    """
    if networks is None:
        return otherwise
    one = isinstance(networks, (list, tuple)) and len(networks) == 1
    if not one or not isinstance(networks[0], StratusLabNetwork):
        raise InvalidArgumentError(
            f"found {networks!r}; give a list of one of ex_list_networks(), "
            f"or ex_network with one of {', '.join(NETWORKS)}",
            argument="networks",
        )
    return networks[0].id
