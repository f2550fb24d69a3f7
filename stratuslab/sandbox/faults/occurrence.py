"""Which of the requests that match a fault fail."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Always:
    """Every request."""

    def outcomes(self) -> Iterator[bool]:
        """Yield for each request, without end, whether it fails."""
        return itertools.repeat(True)


@dataclass(frozen=True)
class Nth:
    """One request: the first is number 1."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError("the first request is number 1")

    def outcomes(self) -> Iterator[bool]:
        """Yield for each request, without end, whether it fails."""
        return (number == self.number for number in itertools.count(1))


@dataclass(frozen=True)
class Pattern:
    """The first requests fail as `failing` says; later ones do not, or it begins again (`cycle`)."""

    failing: tuple[bool, ...]
    cycle: bool = False

    def __post_init__(self) -> None:
        if not self.failing:
            raise ValueError("a pattern has at least one request")

    def outcomes(self) -> Iterator[bool]:
        """Yield for each request, without end, whether it fails."""
        if self.cycle:
            return itertools.cycle(self.failing)
        return itertools.chain(self.failing, itertools.repeat(False))


@dataclass(frozen=True)
class Probability:
    """Requests at random; the same seed chooses the same ones."""

    probability: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError("a probability is a number from 0 to 1")

    def outcomes(self) -> Iterator[bool]:
        """Yield for each request, without end, whether it fails."""
        chance = random.Random(self.seed)
        return (chance.random() < self.probability for _ in itertools.count())


Occurrence: TypeAlias = Always | Nth | Pattern | Probability
