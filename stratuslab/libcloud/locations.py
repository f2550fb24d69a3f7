"""The clouds of one driver, and calls over all of them."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, TypeVar

from libcloud.compute.base import Node, NodeLocation
from stratuslab.client.errors import InvalidArgumentError, LocationsError, StratusLabError
from stratuslab.client.marketplace.marketplace import Marketplace
from stratuslab.client.opennebula.monitor import Monitor
from stratuslab.client.opennebula.runner import Runner
from stratuslab.client.pdisk.persistent_disk import PersistentDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratuslab.client.configuration.cloud import Cloud

__all__ = ["OnError", "Services", "over_all"]

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
_MAX_THREADS = 64

_Found = TypeVar("_Found", bound=Node)


class Services:
    """The services of one cloud, each made when it is first used. Threads may share it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._lock = threading.Lock()
        self._monitor: Monitor | None = None
        self._runner: Runner | None = None
        self._disks: PersistentDisk | None = None
        self._marketplace: Marketplace | None = None

    @property
    def monitor(self) -> Monitor:
        """The VMs, to look at."""
        with self._lock:
            self._monitor = self._monitor or Monitor(self.cloud)
            return self._monitor

    @property
    def runner(self) -> Runner:
        """The VMs, to start and end."""
        with self._lock:
            self._runner = self._runner or Runner(self.cloud)
            return self._runner

    @property
    def disks(self) -> PersistentDisk:
        """The volumes."""
        with self._lock:
            self._disks = self._disks or PersistentDisk(self.cloud)
            return self._disks

    @property
    def marketplace(self) -> Marketplace:
        """The images."""
        with self._lock:
            self._marketplace = self._marketplace or Marketplace(self.cloud)
            return self._marketplace


def over_all(
    operation: str,
    locations: Sequence[NodeLocation],
    ask: Callable[[NodeLocation], list[_Found]],
    on_error: OnError = "raise",
) -> list[_Found]:
    """Ask several locations side by side, and return what they gave in the order of ``locations``.

    When some fail, the others are still waited for; then, with ``raise``, one error is raised whose
    ``errors`` names each failure by its location and whose ``nodes`` are those of the others. It is
    the failure itself when only one location was asked. ``skip`` returns what there is and logs the
    failures.
    """
    if on_error not in ("raise", "skip"):
        raise InvalidArgumentError(f"the argument ex_on_error: found {on_error!r}; use 'raise' or 'skip'")
    found: list[_Found] = []
    errors: dict[str, StratusLabError] = {}
    for location, answer in zip(locations, _answers(locations, ask), strict=True):
        if isinstance(answer, StratusLabError):
            errors[location.id] = answer
        else:
            found += answer
    if not errors:
        return found
    if on_error == "skip":
        for error in errors.values():
            logger.warning("left out: %s", error)
        return found
    if len(locations) == 1:
        error = errors[locations[0].id]
        error.errors = errors
        raise error
    raise LocationsError(operation, errors, found) from next(iter(errors.values()))


def _answers(
    locations: Sequence[NodeLocation], ask: Callable[[NodeLocation], list[_Found]]
) -> list[list[_Found] | StratusLabError]:
    def answer(location: NodeLocation) -> list[_Found] | StratusLabError:
        try:
            return ask(location)
        except StratusLabError as error:
            return error

    if len(locations) < 2:
        return [answer(location) for location in locations]
    with ThreadPoolExecutor(min(_MAX_THREADS, len(locations)), "stratuslab") as threads:
        return list(threads.map(answer, locations))
