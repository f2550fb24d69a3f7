"""A token of the caller's own may be used again once its node has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver


@pytest.mark.parametrize("times", [1, 2, 3])
def test_nodes_that_have_ended_leave_their_token_free(
    driver: OpenNebulaNodeDriver, start: Callable[..., StratusLabNode], times: int
) -> None:
    ended = []
    for _ in range(times):
        ended.append(start(ex_token="job-1"))
        assert driver.destroy_node(ended[-1])
    found = driver.ex_find_node("job-1")
    assert found is None or found.id == ended[-1].id

    new = start(ex_token="job-1")
    assert new.id not in [node.id for node in ended]
    assert start(ex_token="job-1").id == new.id
    found = driver.ex_find_node("job-1")
    assert found is not None
    assert found.id == new.id
