"""The pauses between looks at what the cloud has accepted."""

from __future__ import annotations

from stratuslab.client.opennebula.waiting import Pauses


def test_the_time_is_over_when_it_is() -> None:
    assert Pauses(0).over
    assert not Pauses(0).wait()
    assert not Pauses(3600).over
