"""Waiting until nodes are in a state."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libcloud.compute.types import NodeState
from stratuslab.client.errors import StratusLabError, WaitError, WaitTimeoutError, is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from libcloud.compute.base import NodeLocation
    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["Wait"]

logger = logging.getLogger(__name__)

_OVER = (NodeState.ERROR, NodeState.TERMINATED)


@dataclass(frozen=True)
class Wait:
    """How to wait for some nodes.

    :param operation: name of the caller's function, for errors.
    :param reached: returns whether a node is there.
    :param wanted: the states that are waited for; a node in another one that it never leaves has failed.
    :param period: seconds between two looks.
    :param timeout: seconds until the wait is given up; there is one look at least.
    :param callback: called with each node when it is first seen and whenever its state has changed.
    :param list_arguments: further arguments of ``list_nodes``.
    """

    operation: str
    reached: Callable[[StratusLabNode], bool]
    wanted: Sequence[NodeState]
    period: float
    timeout: float
    callback: Callable[[StratusLabNode], object] | None
    list_arguments: dict[str, Any]

    def until_reached(
        self, driver: StratusLabNodeDriver, nodes: Sequence[StratusLabNode]
    ) -> list[StratusLabNode]:
        """Return the nodes as they are when all are there, in the order in which they were given.

        Each look asks the nodes' locations once, and once more for each node that is no longer listed. A
        service that is down for a while is waited for.

        :raises WaitError: when a node can never get there.
        :raises WaitTimeoutError: when the time is over.
        """
        end = time.monotonic() + self.timeout
        seen: dict[str, NodeState] = {}
        while True:
            try:
                now = self._look(driver, nodes)
            except StratusLabError as error:
                if not is_temporary(error) or time.monotonic() + self.period > end:
                    raise
                logger.warning("%s: still waiting for %d node(s): %s", self.operation, len(nodes), error)
            else:
                self._tell(seen, now)
                if all(map(self.reached, now)):
                    return now
                if any(node._state in _OVER and node._state not in self.wanted for node in now):
                    raise WaitError(_description(now), operation=self.operation, nodes=now)
                if time.monotonic() + self.period > end:
                    raise WaitTimeoutError(
                        f"Timed out after {self.timeout:g} seconds: {_description(now)}",
                        operation=self.operation,
                        nodes=now,
                    )
            time.sleep(self.period)

    def _look(self, driver: StratusLabNodeDriver, nodes: Sequence[StratusLabNode]) -> list[StratusLabNode]:
        locations: dict[str, NodeLocation] = {node.location.id: node.location for node in nodes}
        arguments = {"ex_location": list(locations.values()), **self.list_arguments}
        listed = {node.uuid: node for node in driver.list_nodes(**arguments)}
        # A list holds neither what has ended nor what belongs to others.
        return [listed.get(node.uuid) or driver.ex_refresh_node(node) for node in nodes]

    def _tell(self, seen: dict[str, NodeState], now: Sequence[StratusLabNode]) -> None:
        for node in now:
            if seen.get(node.uuid) == node._state:
                continue
            seen[node.uuid] = node._state
            logger.info("%s: %s", self.operation, _description([node]))
            if self.callback is not None:
                self.callback(node)


def _description(nodes: Sequence[StratusLabNode]) -> str:
    """Return the state of each node, with the cloud's reason."""
    return "; ".join(
        f"node {node.id} ({node.name}) at {node.location.id!r} is {NodeState.tostring(node._state)}"
        + (f": {reason}" if (reason := node.extra.get("error") or node.extra.get("waiting")) else "")
        for node in nodes
    )
