"""Calls over several locations."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, TypeVar

from libcloud.compute.base import Node, NodeLocation
from stratuslab.client.errors import InvalidArgumentError, LocationsError, StratusLabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["OnError", "over_all"]

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
_MAX_THREADS = 64

_Found = TypeVar("_Found", bound=Node)


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
