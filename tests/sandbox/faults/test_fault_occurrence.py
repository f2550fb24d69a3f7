from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.faults.occurrence import Always, Nth, Pattern, Probability

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.faults.occurrence import Occurrence


def first(count: int, occurrence: Occurrence) -> str:
    return "".join("ox"[outcome] for outcome in islice(occurrence.outcomes(), count))


@pytest.mark.parametrize(
    ("occurrence", "outcomes"),
    [
        (Always(), "xxxxxx"),
        (Nth(1), "xooooo"),
        (Nth(3), "ooxooo"),
        (Pattern((False, True, False)), "oxoooo"),
        (Pattern((True, True)), "xxoooo"),
        (Pattern((True, False), cycle=True), "xoxoxo"),
        (Probability(0), "oooooo"),
        (Probability(1), "xxxxxx"),
    ],
)
def test_outcomes(occurrence: Occurrence, outcomes: str) -> None:
    assert first(6, occurrence) == outcomes
    assert first(6, occurrence) == outcomes


def test_the_seed_decides_what_chance_does() -> None:
    drawn = [first(1000, Probability(0.25, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 200 < drawn[0].count("x") < 300


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Nth(0),
        lambda: Pattern(()),
        lambda: Probability(-0.1),
        lambda: Probability(1.1),
        lambda: Probability(float("nan")),
    ],
)
def test_what_cannot_be(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()
