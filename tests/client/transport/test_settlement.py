from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import AnswerLostError, CredentialsError, DuplicateError, NotFoundError
from stratuslab.client.transport import settlement
from stratuslab.client.transport.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(settlement, "time", clock)
    return clock


def looks(*results: object) -> Callable[[], object]:
    """Return a look that gives or raises these one after the other, and the last one for ever."""
    left = list(results)

    def look() -> object:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return look


def test_what_is_there_is_found_without_a_pause(clock: Clock) -> None:
    assert settle(looks("it"), 60) == "it"
    assert clock.sleeps == []


def test_what_appears_later_is_found(clock: Clock) -> None:
    assert settle(looks(None, None, "it"), 60) == "it"
    assert clock.sleeps == [0.1, 0.2]


def test_what_does_not_appear_is_looked_for_until_the_time_is_over_and_no_longer(clock: Clock) -> None:
    assert settle(looks(None), 20) is None
    assert sum(clock.sleeps) == pytest.approx(20)
    assert max(clock.sleeps) == 5


def test_what_appears_at_the_last_moment_is_found(clock: Clock) -> None:
    assert settle(lambda: "it" if clock.now >= 1016.7 else None, 16.7) == "it"
    assert clock.sleeps[-1] == pytest.approx(0.4)


def test_without_time_it_is_looked_for_once(clock: Clock) -> None:
    assert settle(looks("it"), 0) == "it"
    assert settle(looks(None), 0) is None
    assert clock.sleeps == []


def test_a_look_that_fails_is_repeated(clock: Clock) -> None:
    assert settle(looks(AnswerLostError("no"), NotFoundError("no"), "it"), 60) == "it"
    assert len(clock.sleeps) == 2


def test_a_look_that_always_fails_settles_nothing(clock: Clock) -> None:
    with pytest.raises(AnswerLostError):
        settle(looks(AnswerLostError("no")), 20)
    assert sum(clock.sleeps) == pytest.approx(20)


def test_several_where_there_should_be_one_end_the_search(clock: Clock) -> None:
    with pytest.raises(DuplicateError):
        settle(looks(DuplicateError("two", token="t", ids=["1", "2"])), 60)
    assert clock.sleeps == []


def test_only_the_last_look_counts(clock: Clock) -> None:
    assert settle(looks(AnswerLostError("no"), None), 1) is None
    with pytest.raises(AnswerLostError):
        settle(looks(None, AnswerLostError("no")), 1)


def test_refused_credentials_end_the_search(clock: Clock) -> None:
    with pytest.raises(CredentialsError):
        settle(looks(CredentialsError("no")), 60)
    assert clock.sleeps == []


def test_a_mistake_of_our_own_comes_through(clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        settle(looks(ZeroDivisionError()), 60)
