"""An image is made of a node's disk in every state in which the release does so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.sandbox import Sandbox

_HOLD = (2, 0)
_ALWAYS = {(3, 3): "RUNNING", (8, 0): "POWEROFF", (5, 0): "SUSPENDED"}
_OFF_HOST = {(4, 0): "STOPPED", (9, 0): "UNDEPLOYED"}


@pytest.mark.parametrize("state", [*_ALWAYS, *_OFF_HOST, _HOLD], ids=str)
def test_an_image_of_a_node_in_every_state(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    start: Callable[..., StratusLabNode],
    kind: str,
    state: tuple[int, int],
) -> None:
    node = start()
    sandbox.opennebula("here").oned.set_state(int(node.id), *state)

    if state in _ALWAYS or (state in _OFF_HOST and kind != "opennebula-5.12"):
        image = driver.create_image(node, "mine")
        assert image.extra["state"] == "READY"
        assert sandbox.opennebula("here").oned.books.vms[int(node.id)].state == state[0]
    else:
        with pytest.raises(ConflictError, match="VM has to be RUNNING"):
            driver.create_image(node, "mine")
        assert [image.name for image in driver.list_images() if image.name == "mine"] == []
