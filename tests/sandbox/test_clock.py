from __future__ import annotations

import time

import pytest

from stratuslab.sandbox import Clock


def test_runs_like_the_clock_of_the_machine() -> None:
    before = time.time()
    clock = Clock()
    first, second = clock.now(), clock.now()
    assert before - 1 < first <= second < before + 60


def test_with_a_start_it_stands_still() -> None:
    clock = Clock(1000.0)
    assert clock.now() == clock.now() == 1000.0
    clock.step(2.5)
    assert clock.now() == 1002.5


def test_a_running_clock_can_be_stopped_and_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)
    clock = Clock()
    start = clock.now()
    monotonic += 10
    clock.step(3600)
    assert clock.now() == start + 3610
    clock.stop()
    monotonic += 10
    assert clock.now() == start + 3610
    clock.step(1)
    assert clock.now() == start + 3611


def test_never_goes_back() -> None:
    with pytest.raises(ValueError, match="never goes back"):
        Clock().step(-1)
